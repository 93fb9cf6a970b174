import { EventParser, type StreamEvent } from "./sse";

/** The name that the relay answers with: a browser wants one of the offered ones back. */
const PROTOCOL = "moorline.events";
const TOKEN_PREFIX = "moorline.bearer.";
/** The relay sends something every 15 s. Without anything for this long, in milliseconds, the socket is dead. */
const SILENCE_MS = 45_000;

/** Why a stream has ended. */
export type StreamEnd =
  /** The relay ended it in order, or the network broke. */
  | "lost"
  /** The token is wrong, expired or revoked. */
  | "unauthorized"
  /** The token, or this window's origin, is not allowed to follow. */
  | "forbidden";

export interface StreamListener {
  event(event: StreamEvent): void;
  end(why: StreamEnd): void;
}

/**
 * An event stream of the relay over a WebSocket, which does not occupy one of the few connections that a window has to
 * one server. It does not reconnect by itself.
 */
export class EventStream {
  private readonly socket: WebSocket;
  private readonly parser = new EventParser();
  private readonly decoder = new TextDecoder();
  private silence = 0;
  private isOver = false;

  /** @param path The path and query of a route that answers with an event stream. */
  constructor(
    origin: string,
    token: string,
    path: string,
    private readonly listener: StreamListener,
  ) {
    const address = origin.replace(/^http/, "ws") + path;
    this.socket = new WebSocket(address, [PROTOCOL, TOKEN_PREFIX + token]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (message) => this.receive(message.data as unknown);
    this.socket.onclose = ({ code }) => this.finish(endOf(code));
    this.socket.onerror = () => this.finish("lost");
    this.listen();
  }

  /** Ends the stream without telling the listener. */
  close(): void {
    this.isOver = true;
    this.drop();
  }

  private receive(data: unknown): void {
    if (this.isOver || !(data instanceof ArrayBuffer)) return;
    this.listen();
    // At most eight messages wait for an answer, so that a window that is busy is not flooded.
    this.socket.send("taken");
    try {
      for (const event of this.parser.push(this.decoder.decode(data, { stream: true }))) {
        if (!this.isOver) this.listener.event(event);
      }
    } catch {
      this.finish("lost");
    }
  }

  private listen(): void {
    window.clearTimeout(this.silence);
    this.silence = window.setTimeout(() => this.finish("lost"), SILENCE_MS);
  }

  private finish(why: StreamEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.drop();
    this.listener.end(why);
  }

  private drop(): void {
    window.clearTimeout(this.silence);
    this.socket.onmessage = this.socket.onclose = this.socket.onerror = null;
    this.socket.close();
  }
}

function endOf(code: number): StreamEnd {
  if (code === 4401) return "unauthorized";
  return code === 4403 ? "forbidden" : "lost";
}
