/** The gateway's process: serves the connections that the daemon hands over. Ends with the daemon. */
import { Socket } from "node:net";
import { GrpcService } from "./grpc-service.ts";
import { StandIns } from "./stand-ins.ts";
import { WebSocketService } from "./websocket-service.ts";

/** Connections at a time; further ones are closed at once. */
const CONNECTIONS_MAX = 1024;

const [socketPath = ""] = process.argv.slice(2);
const standIns = new StandIns(socketPath);
const services = { grpc: new GrpcService(standIns), websocket: new WebSocketService(standIns) };
let connections = 0;

process.on("message", (protocol, socket) => {
  if (!(socket instanceof Socket)) return;
  socket.on("error", () => {});
  if (connections >= CONNECTIONS_MAX) {
    socket.destroy();
    return;
  }
  connections++;
  socket.once("close", () => connections--);
  socket.setNoDelay(true);
  services[protocol === "grpc" ? "grpc" : "websocket"].take(socket);
});
// Keys and signals of a terminal are for the daemon, which stops its nodes first.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
process.once("disconnect", () => process.exit());
