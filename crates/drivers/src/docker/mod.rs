//! `docker`: containers of a Docker engine.
