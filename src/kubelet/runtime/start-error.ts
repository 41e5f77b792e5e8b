/** A container could not be started: why it waits (`reason` and `message` of its status), and when to try again. */
export class StartError extends Error {
  readonly reason: string;
  /** undefined: as HeldOffStarts says. */
  readonly retryMs: number | undefined;

  constructor(reason: string, message: string, retryMs?: number) {
    super(message);
    this.name = 'StartError';
    this.reason = reason;
    this.retryMs = retryMs;
  }
}
