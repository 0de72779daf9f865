//! The agent's end of a terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::pty::{OpenptyResult, openpty};
use tokio::io::unix::AsyncFd;

/// Reads and writes what the terminal shows and is typed.
#[derive(Debug)]
pub struct PtyMaster(AsyncFd<OwnedFd>);

impl PtyMaster {
    /// A new terminal: this end, and the one for the process.
    pub(crate) fn open() -> io::Result<(Self, OwnedFd)> {
        let OpenptyResult { master, slave } = openpty(None, None)?;
        for fd in [&master, &slave] {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
        }
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok((Self(crate::sys::async_fd(master)?), slave))
    }

    pub fn resize(&self, width: u16, height: u16) -> io::Result<()> {
        let size = rustix::termios::Winsize {
            ws_row: height,
            ws_col: width,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(rustix::termios::tcsetwinsize(
            self.0.get_ref().as_fd(),
            size,
        )?)
    }

    /// 0 at the end, which a terminal signals as an I/O error once nobody holds its other end.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self
            .0
            .async_io(tokio::io::Interest::READABLE, |fd| {
                Ok(rustix::io::read(fd, &mut *buffer)?)
            })
            .await;
        match result {
            Err(err) if err.raw_os_error() == Some(nix::libc::EIO) => Ok(0),
            other => other,
        }
    }

    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self
                .0
                .async_io(tokio::io::Interest::WRITABLE, |fd| {
                    Ok(rustix::io::write(fd, bytes)?)
                })
                .await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }
}
