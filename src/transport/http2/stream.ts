/** A stream of HTTP/2 as a transport: the socket's, but for how it opens, who its peer is, and how it is dropped. */

import { constants, type Http2Session, type Http2Stream, type ServerHttp2Stream } from 'node:http2';
import { SocketTransport } from '../node/socket.ts';
import { certificateOf } from '../node/socket-addresses.ts';
import { joinChunks } from '../pieces.ts';
import type { Addresses } from '../transport.ts';
import { readHead, statusFor } from './heads.ts';

/** One stream, on either side. */
export class Http2Transport extends SocketTransport {
  /** Those of the connection that the stream is part of. */
  private readonly where: Addresses;
  private readonly stream: Http2Stream;

  /** Takes the stream over. */
  constructor(stream: Http2Stream) {
    super(stream, { internals: false, copies: false });
    this.stream = stream;
    this.where = addressesOf(stream.session);
  }

  override get addresses(): Addresses {
    return this.where;
  }

  /** RFC 8441 section 5: "RST exceptions are represented with the RST_STREAM frame … CANCEL". */
  override destroy(): void {
    const { stream } = this;
    stream.close(stream.writableFinished ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
    stream.destroy();
  }
}

/** A server's side: the head that the engine writes first becomes the answer. */
export class Http2ServerTransport extends Http2Transport {
  private readonly own: ServerHttp2Stream;
  private answered = false;

  /** Takes the stream over. */
  constructor(stream: ServerHttp2Stream) {
    super(stream);
    this.own = stream;
  }

  override write(chunks: readonly Uint8Array[]): number {
    const { own } = this;
    if (this.answered || own.destroyed) return super.write(chunks);
    this.answered = true;
    const { firstLine, fields, rest } = readHead(joinChunks(chunks), 'response');
    try {
      own.respond({ ...fields, ':status': statusFor(firstLine) });
    } catch (error) {
      // HTTP/2 has no such header, or somebody else has answered: this stream is lost, and nothing besides it.
      own.destroy(error as Error);
      return super.write(chunks);
    }
    return rest.length === 0 ? this.unwritten : super.write([rest]);
  }
}

function addressesOf(session: Http2Session | undefined): Addresses {
  const { remoteAddress, remotePort, localAddress, localPort } = session?.socket ?? {};
  return {
    remoteAddress: remoteAddress ?? null,
    remotePort: remotePort ?? null,
    localAddress: localAddress ?? null,
    localPort: localPort ?? null,
    secure: session?.encrypted === true,
    get peerCertificate() {
      return certificateOf(session?.socket);
    },
  };
}
