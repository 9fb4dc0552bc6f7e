/** Files as streams of bytes. */
import type { Readable } from 'node:stream';

/**
 * The bytes of a file. A pipe, such as the `<(…)` of a shell, is read through the event loop: reading it as a file would hold a thread
 * for as long as nobody writes, and so hold up even the end of the process. Fails with the system's error.
 */
export async function* readInPieces(path: string): AsyncGenerator<Uint8Array> {
  const fs = process.getBuiltinModule('node:fs');
  const fd = await new Promise<number>((resolve, reject) =>
    fs.open(path, 'r', (error, opened) => (error ? reject(error) : resolve(opened))),
  );
  const stream: Readable = fs.fstatSync(fd).isFIFO()
    ? new (process.getBuiltinModule('node:net').Socket)({ fd, readable: true, writable: false })
    : fs.createReadStream(path, { fd });
  yield* stream as AsyncIterable<Uint8Array>;
}
