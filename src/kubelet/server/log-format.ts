/** What `kubectl logs` shows of the lines that the runtime wrote. Pure, but for the line that is not complete yet. */
import { parseLogLine } from './log-file.ts';

export interface LogFormatOptions {
  readonly timestamps: boolean;
  /** Only lines from this time on, ms since the epoch. */
  readonly since: number | undefined;
  /** Only this stream: stdout or stderr. */
  readonly stream: string | undefined;
}

const newline = 0x0a;

export class LogFormat {
  readonly #options: LogFormatOptions;
  #rest: Buffer = Buffer.alloc(0);
  /** The last line goes on. */
  #continued = false;

  constructor(options: LogFormatOptions) {
    this.#options = options;
  }

  /** The text of the lines that end within these bytes of the log. */
  format(bytes: Buffer): Buffer {
    const all = Buffer.concat([this.#rest, bytes]);
    const out: Buffer[] = [];
    let at = 0;
    for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline, at)) {
      out.push(...this.#line(all.subarray(at, end)));
      at = end + 1;
    }
    this.#rest = all.subarray(at);
    return Buffer.concat(out);
  }

  #line(bytes: Buffer): Buffer[] {
    const { stream, since, timestamps } = this.#options;
    const line = parseLogLine(bytes);
    if (!line || (stream !== undefined && line.stream !== stream.toLowerCase())) return [];
    if (since !== undefined && Date.parse(line.time) < since) return [];
    const time = timestamps && !this.#continued ? [Buffer.from(`${line.time} `)] : [];
    this.#continued = line.partial;
    return [...time, line.text, ...(line.partial ? [] : [Buffer.from('\n')])];
  }
}
