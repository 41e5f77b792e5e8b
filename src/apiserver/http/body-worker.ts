/** The thread that decodes bodies for `BodyDecoder`. An object goes back as JSON: to parse that is quicker than to clone it. */
import { parentPort } from 'node:worker_threads';
import type { Status } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import { internalError, isStatusError } from '../status/status-error.ts';
import { type BodyJob, decodeBody } from './decode-body.ts';

export type WorkerAnswer = { readonly json: string; readonly warnings: readonly string[] } | { readonly refused: Status };

function answer(job: BodyJob): WorkerAnswer {
  try {
    const { object, warnings } = decodeBody({ ...job, body: Buffer.from(job.body.buffer, job.body.byteOffset, job.body.length) });
    return { json: JSON.stringify(object), warnings };
  } catch (err) {
    return { refused: (isStatusError(err) ? err : internalError(messageOf(err))).status };
  }
}

parentPort?.on('message', (job: BodyJob) => parentPort?.postMessage(answer(job)));
