/** A packet that was really sent, as lines for people. Pure. */
import { joinHostPort } from '../../ip/ip.ts';
import type { Fate, FirstPacket } from '../mode/view.ts';
import type { ComparedStep, Comparison, Live } from './live.ts';
import { fateText, packetText, stepLines } from './trace-text.ts';

const marks: Readonly<Record<ComparedStep['seen'], string>> = { both: '= ', predicted: '- ', real: '+ ', other: '. ' };
const legend = '= as predicted, - predicted only, + seen only, . a rule of others';

const answers: Readonly<Record<Live['answer'], string>> = {
  answered: 'It was answered',
  refused: 'It was refused',
  silent: 'Nobody answered',
};

function endText({ end, steps }: Live): string {
  if (!end) return steps.some(({ drops }) => drops) ? 'Went no further than the last of these rules' : 'Did not come out behind the rules';
  const { header, by } = end;
  const ends = `from ${joinHostPort(header.from, header.sourcePort)} to ${joinHostPort(header.to, header.port)}`;
  return by === undefined ? `Stayed on the node, ${ends}` : `Left by ${by}, ${ends}`;
}

export function liveText(packet: FirstPacket, fate: Fate, live: Live, { steps, difference }: Comparison): string {
  const seen = [endText(live), ...(live.tracked ? [`Tracked: ${live.tracked.by} answers ${live.tracked.to}`] : []), answers[live.answer]];
  return `${[
    packetText(packet),
    '',
    legend,
    ...stepLines(steps.map(({ seen: by, step }) => ({ mark: marks[by], step }))),
    '',
    `Predicted: ${fateText(fate, packet).replaceAll('\n', '; ')}`,
    `Seen: ${seen.join('. ')}`,
    '',
    ...(live.untold === undefined ? [] : [`note: ${live.untold}`]),
    difference === undefined ? 'No difference' : `First difference: ${difference}`,
  ].join('\n')}\n`;
}
