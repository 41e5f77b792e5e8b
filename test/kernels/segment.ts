/** The wires between machines: a bridge in a network namespace of the test's own, into which the test itself moves. */
import { once } from 'node:events';
import { mustRun, start, systemExec } from '../../src/linux/exec.ts';
import { enterNetns } from '../../src/linux/netns.ts';

const bridge = 'br0';

async function ip(...args: readonly string[]): Promise<void> {
  await mustRun(systemExec, 'ip', args);
}

/** The namespace goes with the last process in it, so that a test that was killed leaves nothing. */
export class Segment implements AsyncDisposable {
  readonly #inside: Disposable;
  readonly #holder: ReturnType<typeof start>;

  private constructor(holder: ReturnType<typeof start>, inside: Disposable) {
    this.#holder = holder;
    this.#inside = inside;
  }

  /** `address`: of the test itself, as one more machine. */
  static async open(address: string): Promise<Segment> {
    const holder = start('unshare', ['--net', 'sh', '-c', 'echo there; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout as NodeJS.ReadableStream, 'data');
    const segment = new Segment(holder, enterNetns(`/proc/${holder.pid}/ns/net`));
    await ip('link', 'set', 'lo', 'up');
    // One MTU for good: a bridge takes the smallest of its ports.
    await ip('link', 'add', bridge, 'mtu', '1500', 'type', 'bridge');
    await ip('addr', 'add', address, 'dev', bridge);
    await ip('link', 'set', bridge, 'up');
    return segment;
  }

  async addPort(tap: string): Promise<void> {
    await ip('tuntap', 'add', tap, 'mode', 'tap');
    await this.plug(tap);
    await ip('link', 'set', tap, 'up');
  }

  async plug(tap: string): Promise<void> {
    await ip('link', 'set', tap, 'master', bridge);
  }

  async unplug(tap: string): Promise<void> {
    await ip('link', 'set', tap, 'nomaster');
  }

  /** What is larger does not go through, and nobody is told. */
  async narrow(tap: string, mtu: number): Promise<void> {
    await ip('link', 'set', tap, 'mtu', String(mtu));
  }

  async route(range: string, via: string): Promise<void> {
    await ip('route', 'replace', range, 'via', via);
  }

  /** The MAC that the test has heard of for an address. */
  async neighbour(address: string): Promise<string | undefined> {
    const said = await mustRun(systemExec, 'ip', ['neigh', 'show', address, 'dev', bridge]);
    return / lladdr (\S+)/.exec(said)?.[1];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#inside[Symbol.dispose]();
    const ended = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await ended;
  }
}
