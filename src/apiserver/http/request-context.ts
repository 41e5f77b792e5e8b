/** One request on its way through the server. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UserInfo } from '../auth/user-info.ts';
import type { BodyJob, Decoded } from './decode-body.ts';
import type { RequestInfo } from './request-info.ts';

export interface RequestContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  /** Empty when there was none. */
  readonly body: Buffer;
  readonly user: UserInfo;
  /** Here, or in a worker. Throws a StatusError. */
  readonly decode: (job: BodyJob) => Promise<Decoded>;
  /** Sent as `Warning` headers with the reply. */
  readonly warnings: string[];
}
