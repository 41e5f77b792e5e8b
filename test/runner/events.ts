/** What a test file's process tells the runner: one JSON line per event on descriptor 3. */

export type FileEvent =
  | TestEvent
  /** What node says of the file as a whole: an error that came after its test, mostly. */
  | { readonly kind: 'error'; readonly text: string }
  /** All tests were run. */
  | { readonly kind: 'over' };

export type TestEvent =
  /** `path` is the names from the outermost suite inwards. */
  | { readonly kind: 'begin'; readonly path: readonly string[] }
  | {
      readonly kind: 'end';
      readonly path: readonly string[];
      readonly result: Result;
      readonly ms: number;
      readonly error?: string;
      readonly why?: string;
    };

export type Result = 'passed' | 'failed' | 'skipped' | 'suite';

/** What node:test says, as far as it matters here (https://nodejs.org/api/test.html#class-testsstream). */
export interface NodeTestEvent {
  readonly type: string;
  readonly data: {
    readonly message?: string;
    readonly name?: string;
    /** Of a test or suite, and of the one around it. */
    readonly testId?: number;
    readonly parentId?: number;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: {
      readonly duration_ms?: number;
      readonly type?: string;
      readonly error?: { readonly failureType?: string; readonly cause?: unknown };
    };
  };
}

/** Turns node's events, in the order in which things happen (not in which they are reported), into ours. */
export class EventTranslator {
  readonly #paths = new Map<number, readonly string[]>();
  readonly #ended = new Set<number>();
  readonly #show: (error: unknown) => string;

  constructor(show: (error: unknown) => string) {
    this.#show = show;
  }

  translate({ type, data }: NodeTestEvent): FileEvent | undefined {
    const { message = '', testId } = data;
    if (type === 'test:summary') return { kind: 'over' };
    if (type === 'test:diagnostic' && message.startsWith('Error: ')) return { kind: 'error', text: message };
    if (type === 'test:dequeue') return { kind: 'begin', path: this.#path(data) };
    // Of suites side by side, node tells the tests of one that ends before another again when its turn comes.
    if (type !== 'test:complete' || (testId !== undefined && this.#ended.has(testId))) return undefined;
    if (testId !== undefined) this.#ended.add(testId);
    return this.#end(data);
  }

  /** Names alone do not do: suites side by side take turns. */
  #path({ name = '', testId = -1, parentId = -1 }: NodeTestEvent['data']): readonly string[] {
    const path = this.#paths.get(testId) ?? [...(this.#paths.get(parentId) ?? []), name];
    if (testId >= 0) this.#paths.set(testId, path);
    return path;
  }

  #end(data: NodeTestEvent['data']): FileEvent {
    const { details } = data;
    const path = this.#path(data);
    const ms = details?.duration_ms ?? 0;
    const error = details?.error;
    // A suite fails with its tests; only what goes wrong in its own hooks is news.
    if (error && error.failureType !== 'subtestsFailed')
      return { kind: 'end', path, result: 'failed', ms, error: this.#show(error.cause ?? error) };
    // A suite that is skipped has no tests that could say so.
    if (!error && (isSet(data.skip) || isSet(data.todo))) {
      const why = [data.skip, data.todo].find((mark) => typeof mark === 'string');
      return { kind: 'end', path, result: 'skipped', ms, ...(why && { why }) };
    }
    return { kind: 'end', path, result: error || details?.type === 'suite' ? 'suite' : 'passed', ms };
  }
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}
