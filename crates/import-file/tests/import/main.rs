//! The program against the function on a real database, behind an API Gateway that can fail.

mod desk;
mod file;
mod resume;
