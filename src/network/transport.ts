import { connect as connectTcp, type Socket } from 'node:net';
import { asError } from '../errors/thrown.ts';
import { nodeTls } from '../security/node-tls.ts';
import type { TlsSettings } from '../security/tls-options.ts';
import { FrameReader } from './frame-reader.ts';
import { PeerClosedError } from './peer-closed-error.ts';

/** After this long without traffic the kernel asks whether the other side still lives. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/** Whoever a {@link Transport} works for. */
export interface TransportReceiver {
  /** The socket is connected, and encrypted if it is to be. */
  handleConnect(): void;
  /** A frame arrived. What this throws closes the transport with that error. */
  handleFrame(frame: Buffer): void;
  /** The transport is of no more use, for this reason; {@link handleClose} follows. */
  handleClosing(error: Error | undefined): void;
  /**
   * The end, once: the socket has let go of every buffer that it was given.
   *
   * @param error why; undefined if we ended it without a reason, a {@link PeerClosedError} if the other side did
   */
  handleClose(error: Error | undefined): void;
}

/** Which socket to open. */
export interface TransportTarget {
  /** A resolved address. */
  readonly address: string;
  readonly port: number;
  /** The name behind the address, which a certificate must have. */
  readonly host: string;
  readonly tls: TlsSettings | undefined;
  readonly maxResponseBytes: number;
}

/** A TCP or TLS socket that speaks in frames. It knows nothing of Kafka but the size prefix. */
export class Transport {
  /** Who hears of frames and of the end; changes once, from the handshake to the connection. */
  receiver: TransportReceiver;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #closing = false;
  #error: Error | undefined;
  #bytesQueued = 0;

  constructor(target: TransportTarget, receiver: TransportReceiver) {
    this.receiver = receiver;
    this.#reader = new FrameReader(target.maxResponseBytes, (frame) => this.receiver.handleFrame(frame));
    this.#socket = this.#connect(target);
    this.#socket.once('connect', () => {
      this.#socket.setNoDelay(true);
      this.#socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    });
    this.#socket.once(target.tls === undefined ? 'connect' : 'secureConnect', () => {
      if (!this.#closing) this.receiver.handleConnect();
    });
    this.#socket.on('error', (error) => this.close(error));
    // A broker does not half-close: after its end nothing that we wrote will be answered.
    this.#socket.once('end', () => this.close(new PeerClosedError()));
    this.#socket.once('close', () => {
      this.close(new PeerClosedError());
      this.receiver.handleClose(this.#error);
    });
  }

  /** How many bytes wait for the kernel to take them. */
  get bytesToWrite(): number {
    return this.#socket.writableLength;
  }

  /** How many bytes were given to {@link write} since the start. */
  get bytesQueued(): number {
    return this.#bytesQueued;
  }

  /** How many of {@link bytesQueued} the kernel has taken: buffers before that mark are no longer needed. */
  get bytesTaken(): number {
    return this.#bytesQueued - this.#socket.writableLength;
  }

  /**
   * Sends the pieces one after the other in one system call, without copying them together.
   *
   * @param onWritten called when the kernel has taken all of them; not to be relied upon once the transport is closed
   */
  write(pieces: readonly Uint8Array[], onWritten?: () => void): void {
    const socket = this.#socket;
    const last = pieces.length - 1;
    if (last > 0) socket.cork();
    for (let index = 0; index <= last; index++) {
      const piece = pieces[index];
      if (piece === undefined) continue;
      this.#bytesQueued += piece.length;
      if (index === last && onWritten !== undefined) socket.write(piece, onWritten);
      else socket.write(piece);
    }
    if (last > 0) socket.uncork();
  }

  /** Calls back when everything written so far was taken by the kernel. */
  afterWrites(callback: () => void): void {
    this.#socket.write(Buffer.alloc(0), callback);
  }

  /** {@link FrameReader.leaseOf} */
  leaseOf(memory: ArrayBufferLike): (() => void) | undefined {
    return this.#reader.leaseOf(memory);
  }

  /** Keeps the process alive as long as the socket is open. */
  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  /** Ends the socket at once; what was not yet written is lost. {@link TransportReceiver.handleClose} follows. */
  close(error?: Error): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#error = error;
    this.#reader.stop();
    this.#socket.destroy();
    this.receiver.handleClosing(error);
  }

  #connect({ address, port, host, tls }: TransportTarget): Socket {
    const onread = { buffer: () => this.#reader.space(), callback: (count: number): boolean => this.#read(count) };
    if (tls === undefined) return connectTcp({ host: address, port, onread });
    // Node's types do not list `onread` here; its documentation does.
    const options = { ...tls.connectOptions(host), host: address, port, onread };
    return nodeTls().connect(options);
  }

  #read(count: number): boolean {
    try {
      this.#reader.advance(count);
    } catch (error) {
      this.close(asError(error));
    }
    return !this.#closing;
  }
}
