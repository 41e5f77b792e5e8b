/** A call to which the runtime answers with one message after the other, as bytes. */
import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import { onAbort } from '../../clock/aborted.ts';
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
  using _ = onAbort(signal, () => call.cancel());
  try {
    for await (const message of call) yield message as Buffer;
  } catch (err) {
    if (signal.aborted) return;
    const { code, details } = err as ServiceError;
    throw new CriError(code ?? 2, details ?? String(err), { cause: err });
  } finally {
    call.cancel();
  }
}
