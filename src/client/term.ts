/** One stretch of leading, by a Lease. */
export interface Term {
  /** Aborts when the lead is lost, or the process is to end. */
  readonly signal: AbortSignal;
  /**
   * Whether what is sent now arrives before anybody else may lead. To be asked right before each act: work may go on for longer than its term, in a
   * process that was frozen or because it waits for something. Never true again when the term is over, whoever leads then.
   */
  mayAct(): boolean;
  /** What names it to an API server, which writes only while it lasts: for what arrives in time and is carried out late. */
  text(): string | undefined;
}
