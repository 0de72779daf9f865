//! Addresses as people type them for curl: `?filter=Status=="running"`. The characters that an address must not hold are
//! escaped in the first request of a connection, before it is parsed; what follows on the connection stays as it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of the first line is taken at once.
const CHUNK: usize = 4096;

/// A stream whose first line is escaped.
pub(super) struct Lenient<S> {
    stream: S,
    /// Whether the first line goes on.
    first: bool,
    /// What was read and not yet passed on, and how much of it was.
    held: Vec<u8>,
    passed: usize,
}

impl<S> Lenient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            first: true,
            held: Vec::new(),
            passed: 0,
        }
    }
}

/// Escapes up to the end of the line; says whether the line goes on.
fn escape(read: &[u8], out: &mut Vec<u8>) -> bool {
    for (at, byte) in read.iter().enumerate() {
        match byte {
            b'\n' => {
                out.extend_from_slice(&read[at..]);
                return false;
            }
            b'"' => out.extend_from_slice(b"%22"),
            b'<' => out.extend_from_slice(b"%3C"),
            b'>' => out.extend_from_slice(b"%3E"),
            b'`' => out.extend_from_slice(b"%60"),
            other => out.push(*other),
        }
    }
    true
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.passed == this.held.len() {
            if !this.first {
                return Pin::new(&mut this.stream).poll_read(context, buffer);
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut chunk))?;
            this.held.clear();
            this.passed = 0;
            this.first = !chunk.filled().is_empty() && escape(chunk.filled(), &mut this.held);
        }
        let rest = &this.held[this.passed..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.passed += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn only_the_first_line_is_escaped() {
        let sent = b"GET /v1/jobs?filter=ID==\"a\" HTTP/1.1\r\nX: \"kept\"\r\n\r\n{\"b\":1}";
        // One byte at a time, as a slow line brings them.
        for piece in [1, 7, sent.len()] {
            let mut stream = in_pieces(sent, piece);
            let mut read = String::new();
            stream.read_to_string(&mut read).await.unwrap();
            assert_eq!(
                read,
                "GET /v1/jobs?filter=ID==%22a%22 HTTP/1.1\r\nX: \"kept\"\r\n\r\n{\"b\":1}"
            );
        }
    }

    /// A stream that brings `bytes` in pieces of a length.
    fn in_pieces(bytes: &'static [u8], piece: usize) -> Lenient<impl AsyncRead + Unpin> {
        Lenient::new(Pieces { bytes, piece })
    }

    struct Pieces {
        bytes: &'static [u8],
        piece: usize,
    }

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let count = self.piece.min(self.bytes.len()).min(buffer.remaining());
            buffer.put_slice(&self.bytes[..count]);
            self.bytes = &self.bytes[count..];
            Poll::Ready(Ok(()))
        }
    }
}
