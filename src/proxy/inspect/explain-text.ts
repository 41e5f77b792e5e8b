/** The rules of one Service, as commands of the mode's tool with comments between them. Pure. */
import type { Explained } from '../mode/view.ts';

/** One comment for neighbours that are for the same. */
export function explainText(title: string, explained: readonly Explained[]): string {
  const lines = explained.flatMap(({ text, why }, i) => (why === explained[i - 1]?.why ? [text] : [`# ${why}`, text]));
  return `${[`# ${title}`, ...lines].join('\n')}\n`;
}
