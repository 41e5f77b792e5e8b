/** The body of an answer, which somebody else's program wrote: no more of it than a limit. */
import type { IncomingMessage } from 'node:http';

/** Throws when there is more; the connection is then of no further use. */
export async function boundedBody(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // To leave the loop ends the connection: nobody reads what may still come.
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
