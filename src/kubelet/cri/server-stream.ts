/** A call to which the runtime answers with one message after the other, as bytes. */
import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import { CriError } from './cri.ts';

const asIs = (bytes: Buffer): Buffer => bytes;

/** Ends when the signal aborts. Throws CriError. */
export async function* serverStream(
  client: Client,
  path: string,
  request: Buffer,
  signal: AbortSignal,
  metadata: Metadata = new Metadata(),
): AsyncIterable<Buffer> {
  const call = client.makeServerStreamRequest(path, asIs, asIs, request, metadata);
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of call) yield message as Buffer;
  } catch (err) {
    if (signal.aborted) return;
    const { code, details } = err as ServiceError;
    throw new CriError(code ?? 2, details ?? String(err), { cause: err });
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel();
  }
}
