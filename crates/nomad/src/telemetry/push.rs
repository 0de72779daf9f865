//! Figures sent to where an operator collects them (`statsd_address`, `statsite_address`, `datadog_address`): counts
//! and timings as they happen, gauges every `collection_interval`.

use crate::config::Telemetry as Settings;
use caravan_model::MetricGauge;
use caravan_telemetry::{Event, Kind};
use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How much goes into one packet.
const PACKET: usize = 1400;
/// How long figures wait for others to share their packet with.
const FLUSH: Duration = Duration::from_millis(100);
/// How long a collector that refused is left alone.
const PAUSE: Duration = Duration::from_secs(10);

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Values of labels stand in the name.
    Statsd,
    /// The same, over a stream.
    Statsite,
    /// Labels are tags.
    Datadog,
}

/// One place to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    form: Form,
    to: String,
    tags: Vec<String>,
}

/// Where this configuration wants figures sent.
pub(crate) fn addresses(settings: &Settings) -> Vec<Address> {
    let all = [
        (Form::Statsd, &settings.statsd_address),
        (Form::Statsite, &settings.statsite_address),
        (Form::Datadog, &settings.datadog_address),
    ];
    let wanted = all.into_iter().filter(|(_, to)| !to.is_empty());
    wanted
        .map(|(form, to)| Address {
            form,
            to: to.clone(),
            tags: settings.datadog_tags.clone(),
        })
        .collect()
}

/// All places, and what waits to be sent to each.
pub(crate) struct Sinks(Vec<Sink>);

struct Sink {
    address: Address,
    packet: String,
    stream: Option<TcpStream>,
    socket: Option<UdpSocket>,
    refused: Option<Instant>,
}

impl Sinks {
    pub(crate) fn new(addresses: Vec<Address>) -> Self {
        let sink = |address| Sink {
            address,
            packet: String::new(),
            stream: None,
            socket: None,
            refused: None,
        };
        Self(addresses.into_iter().map(sink).collect())
    }

    /// Sends what is told and wanted until nobody can tell any more. Blocks.
    pub(crate) fn follow(mut self, told: &Receiver<Event>, wants: impl Fn(&str) -> bool) {
        loop {
            match told.recv_timeout(FLUSH) {
                Ok(event) if !wants(event.name) => {}
                Ok(event) => {
                    let labels: Vec<(&str, &str)> = event
                        .labels
                        .iter()
                        .map(|(name, value)| (*name, value.as_str()))
                        .collect();
                    let unit = if event.kind == Kind::Count { "c" } else { "ms" };
                    self.add(event.name, &labels, event.value, unit);
                }
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Sends gauges. Blocks.
    pub(crate) fn gauges(&mut self, gauges: &[MetricGauge]) {
        for gauge in gauges {
            let labels: Vec<(&str, &str)> = gauge
                .labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            self.add(&gauge.name, &labels, gauge.value, "g");
        }
        self.flush();
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: f64, unit: &str) {
        for sink in &mut self.0 {
            let line = line(&sink.address, name, labels, value, unit);
            if sink.packet.len() + line.len() > PACKET {
                sink.flush();
            }
            sink.packet.push_str(&line);
        }
    }

    fn flush(&mut self) {
        self.0.iter_mut().for_each(Sink::flush);
    }
}

impl Sink {
    /// Sends the packet. What cannot be sent is dropped: figures of yesterday help nobody.
    fn flush(&mut self) {
        let packet = std::mem::take(&mut self.packet);
        let paused = self.refused.is_some_and(|since| since.elapsed() < PAUSE);
        if packet.is_empty() || paused {
            return;
        }
        let sent = match self.address.form {
            Form::Statsite => self.write(&packet),
            Form::Statsd | Form::Datadog => self.send(&packet),
        };
        self.refused = sent.err().map(|error| {
            (self.stream, self.socket) = (None, None);
            tracing::warn!(to = self.address.to, %error, "figures cannot be sent");
            Instant::now()
        });
    }

    fn write(&mut self, packet: &str) -> io::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(&self.address.to)?;
                stream.set_write_timeout(Some(PAUSE))?;
                none.insert(stream)
            }
        };
        stream.write_all(packet.as_bytes())
    }

    fn send(&mut self, packet: &str) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => {
                let socket =
                    UdpSocket::bind(("::", 0)).or_else(|_| UdpSocket::bind(("0.0.0.0", 0)))?;
                let socket = match socket.connect(&self.address.to) {
                    Ok(()) => socket,
                    Err(_) => UdpSocket::bind(("0.0.0.0", 0))?,
                };
                socket.connect(&self.address.to)?;
                none.insert(socket)
            }
        };
        match socket.send(packet.as_bytes()) {
            // Nobody listens at the moment; the next packet is for who does.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            sent => sent.map(|_| ()),
        }
    }
}

fn line(address: &Address, name: &str, labels: &[(&str, &str)], value: f64, unit: &str) -> String {
    let plain = |text: &str| text.replace([':', ' ', '|', '\n'], "_");
    if address.form == Form::Datadog {
        let own = labels
            .iter()
            .map(|(name, value)| format!("{name}:{}", value.replace(['|', ',', '\n'], "_")));
        let tags: Vec<String> = address.tags.iter().cloned().chain(own).collect();
        let tags = if tags.is_empty() {
            String::new()
        } else {
            format!("|#{}", tags.join(","))
        };
        return format!("{}:{value:.6}|{unit}{tags}\n", plain(name));
    }
    let mut name = plain(name);
    for (_, value) in labels {
        name.push('.');
        name.push_str(&plain(value));
    }
    format!("{name}:{value:.6}|{unit}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::sync::mpsc::sync_channel;

    fn event(kind: Kind, value: f64) -> Event {
        Event {
            kind,
            name: "nomad.a.b",
            labels: vec![("job", "my job:1".into())],
            value,
        }
    }

    fn settings() -> Settings {
        Settings::default()
    }

    #[test]
    fn statsd_gets_packets_with_labels_in_the_names() {
        let collector = UdpSocket::bind("127.0.0.1:0").expect("a port");
        collector
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        let to = collector.local_addr().expect("its address").to_string();
        let mut sinks = Sinks::new(addresses(&Settings {
            statsd_address: to,
            ..settings()
        }));
        let (teller, told) = sync_channel(8);
        teller.send(event(Kind::Count, 1.0)).expect("room");
        teller.send(event(Kind::Sample, 2.5)).expect("room");
        std::thread::spawn(move || {
            sinks.gauges(&[MetricGauge {
                name: "nomad.g".into(),
                value: 7.0,
                ..MetricGauge::default()
            }]);
            sinks.follow(&told, |_| true);
        });
        let mut text = String::new();
        let mut buffer = [0; 2000];
        while text.lines().count() < 3 {
            let read = collector.recv(&mut buffer).expect("a packet");
            text += std::str::from_utf8(&buffer[..read]).expect("text");
        }
        assert_eq!(
            text,
            "nomad.g:7.000000|g\nnomad.a.b.my_job_1:1.000000|c\nnomad.a.b.my_job_1:2.500000|ms\n"
        );
    }

    #[test]
    fn statsite_gets_a_stream_that_ends_with_those_who_tell() {
        let collector = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = collector.local_addr().expect("its address").to_string();
        let sinks = Sinks::new(addresses(&Settings {
            statsite_address: to,
            ..settings()
        }));
        let (teller, told) = sync_channel(8);
        let sending =
            std::thread::spawn(move || sinks.follow(&told, |name| name != "nomad.unwanted"));
        teller
            .send(Event {
                name: "nomad.unwanted",
                ..event(Kind::Count, 1.0)
            })
            .expect("room");
        teller.send(event(Kind::Count, 1.0)).expect("room");
        let (stream, _) = collector.accept().expect("a caller");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("a line");
        assert_eq!(line, "nomad.a.b.my_job_1:1.000000|c\n");
        drop(teller);
        sending.join().expect("it ends");
    }

    #[test]
    fn datadog_gets_tags() {
        let settings = Settings {
            datadog_address: "x:1".into(),
            datadog_tags: vec!["env:prod".into()],
            ..settings()
        };
        let address = &addresses(&settings)[0];
        assert_eq!(
            line(address, "nomad.a", &[("job", "web")], 1.0, "c"),
            "nomad.a:1.000000|c|#env:prod,job:web\n"
        );
    }
}
