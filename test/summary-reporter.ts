/** A last line for people and programs: `812 passed, 0 failed, 3 skipped`, and where the time went. */
interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly nesting?: number;
    readonly skip?: string | boolean;
    readonly details?: { readonly duration_ms?: number; readonly type?: string };
    readonly file?: string;
  };
}

const SLOW = 5;

export default async function* summary(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const slow: { name: string; ms: number }[] = [];
  for await (const { type, data } of source) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details?.type === 'suite') continue;
    if (data.skip !== undefined && data.skip !== false) count.skipped++;
    else if (type === 'test:pass') count.passed++;
    else count.failed++;
    slow.push({ name: data.name ?? '', ms: data.details?.duration_ms ?? 0 });
  }
  const longest = slow.toSorted((a, b) => b.ms - a.ms).slice(0, SLOW);
  yield `\nslowest: ${longest.map((t) => `${t.name} (${(t.ms / 1000).toFixed(1)} s)`).join('; ')}\n`;
  yield `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`;
}
