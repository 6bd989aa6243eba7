//! Makes the client of the service from the proto file that dora ships.
#![forbid(unsafe_code)]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = "dora/dataflow/v1/dataflow.proto";
    let folder = "../../docs/proto";
    println!("cargo::rerun-if-changed={folder}/{proto}");
    let descriptors = protox::compile([proto], [folder])?;
    tonic_prost_build::configure()
        .build_server(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
