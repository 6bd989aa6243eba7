//! A node in Rust without a library of dora's: takes texts on `text`, sends them on `shout` in capitals.
//!
//! The daemon says in the environment where its gateway is; the messages are those of
//! `docs/proto/dora/dataflow/v1/dataflow.proto`, of which `build.rs` makes the client.
#![forbid(unsafe_code)]

use std::env;
use std::error::Error;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};

/// Made from the proto file.
#[allow(clippy::all)]
mod dataflow {
    tonic::include_proto!("dora.dataflow.v1");
}

use dataflow::dataflow_client::DataflowClient;
use dataflow::update::Update;
use dataflow::update_request::Request as Say;
use dataflow::{Finish, Handled, Hello, Input, LogRecord, Task, UpdateRequest};

/// Requests that wait to be sent; who sends more waits.
const REQUESTS_MAX: usize = 16;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = env::var("DORA_GRPC_ENDPOINT")?;
    let token: MetadataValue<Ascii> =
        format!("Bearer {}", env::var("DORA_GATEWAY_TOKEN")?).parse()?;
    let mut client = DataflowClient::connect(endpoint).await?;

    let (requests, outgoing) = mpsc::channel(REQUESTS_MAX);
    say(&requests, Say::Hello(Hello::default())).await?;
    let mut call = Request::new(ReceiverStream::new(outgoing));
    call.metadata_mut().insert("authorization", token);
    let mut updates = client.stream_updates(call).await?.into_inner();

    // The first part of an input whose payload comes in several.
    let mut waiting: Option<(Input, Vec<u8>)> = None;
    while let Some(update) = updates.message().await? {
        match update.update {
            Some(Update::Input(input)) => {
                let payload = input.payload.to_vec();
                waiting = Some((input, payload));
            }
            Some(Update::Part(part)) => {
                if let Some((_, payload)) = &mut waiting {
                    payload.extend_from_slice(&part.payload);
                }
            }
            Some(Update::Stop(stop)) => {
                println!("stop: {}", stop.reason);
                say(&requests, Say::Finish(Finish {})).await?;
            }
            Some(Update::Failed(failed)) => eprintln!("{}: {}", failed.code, failed.message),
            // What else there is, and what newer daemons tell.
            _ => {}
        }
        if let Some((input, payload)) =
            waiting.take_if(|(input, payload)| payload.len() as u64 == input.payload_bytes)
        {
            handle(&requests, input, payload).await?;
        }
    }
    Ok(())
}

/// Sends the text on in capitals, as a part of the trace that it came with.
async fn handle(
    requests: &mpsc::Sender<UpdateRequest>,
    input: Input,
    payload: Vec<u8>,
) -> Result<(), Box<dyn Error>> {
    match String::from_utf8(payload) {
        Ok(text) => {
            let task = Task {
                output: "shout".to_owned(),
                payload: text.to_uppercase().into(),
                metadata: input.metadata,
                traceparent: input.traceparent,
                tracestate: input.tracestate,
                ..Task::default()
            };
            say(requests, Say::Task(task)).await?;
            say(
                requests,
                Say::Handled(Handled {
                    event: input.event,
                    failed: false,
                }),
            )
            .await
        }
        Err(error) => {
            let log = LogRecord {
                level: "error".to_owned(),
                message: format!("the text is no UTF-8: {error}"),
                traceparent: input.traceparent,
                ..LogRecord::default()
            };
            say(requests, Say::Log(log)).await?;
            say(
                requests,
                Say::Handled(Handled {
                    event: input.event,
                    failed: true,
                }),
            )
            .await
        }
    }
}

async fn say(requests: &mpsc::Sender<UpdateRequest>, request: Say) -> Result<(), Box<dyn Error>> {
    requests
        .send(UpdateRequest {
            request: Some(request),
        })
        .await?;
    Ok(())
}
