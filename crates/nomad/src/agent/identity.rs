//! The server's id: made once and kept beside its log.

use crate::config::AgentConfig;
use std::str::FromStr;
use uuid::Uuid;

/// The id of this server, made when there is none yet. With `-dev` it is new each time.
pub(super) fn server_id(config: &AgentConfig) -> Result<Uuid, String> {
    if config.dev.is_some() {
        return Ok(Uuid::new_v4());
    }
    let path = config.dirs.server.join("node-id");
    match std::fs::read_to_string(&path) {
        Ok(text) => Uuid::from_str(text.trim()).map_err(|_| {
            format!(
                "Error starting agent: {} does not hold a UUID; restore it from a backup",
                path.display()
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = Uuid::new_v4();
            let written = std::fs::create_dir_all(&config.dirs.server)
                .and_then(|()| std::fs::write(&path, id.to_string()));
            written.map_err(|error| {
                format!(
                    "Error starting agent: {} cannot be written: {error}",
                    path.display()
                )
            })?;
            Ok(id)
        }
        Err(error) => Err(format!(
            "Error starting agent: {} cannot be read: {error}",
            path.display()
        )),
    }
}
