//! Checks that the ports are free before anything is started, so that a run fails as a whole or not at all.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// A port that is not available.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error("port {port} is in use: end the program that uses it, or choose another with {flag}")]
    InUse { port: u16, flag: &'static str },
    #[error("port {port} cannot be used: {error}; choose another with {flag}")]
    Refused { port: u16, flag: &'static str, error: io::Error },
}

/// A free port of 127.0.0.1, reserved until [`Reserved::release`].
pub struct Reserved {
    listener: TcpListener,
    port: u16,
}

impl Reserved {
    /// Takes `port`, or any free one if it is 0. `flag` is the flag that changes it.
    pub fn take(port: u16, flag: &'static str) -> Result<Self, PortError> {
        // Some systems let a bind to 127.0.0.1 succeed beside a server on all addresses.
        if port != 0 && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Err(PortError::InUse { port, flag });
        }
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        match taken {
            Ok((port, listener)) => Ok(Self { listener, port }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(PortError::InUse { port, flag }),
            Err(error) => Err(PortError::Refused { port, flag, error }),
        }
    }

    /// Frees the port for the server that is started next.
    pub fn release(self) -> u16 {
        drop(self.listener);
        self.port
    }
}
