/** The mode that is asked for, with relays at loopback where its rules cannot serve there. */
import { KnownError } from '../errors/known-error.ts';
import type { Mode } from './mode/mode.ts';
import { defaultMode, modes } from './mode/modes.ts';
import type { ProxyOptions } from './options.ts';

type ModeChoice = Pick<ProxyOptions, 'mode' | 'modeOptions' | 'loopbackNodePorts' | 'clock' | 'log'>;

/** The mode that is asked for, not yet at work. Throws BAD_CONFIG. */
export async function openMode({ mode = defaultMode, modeOptions, loopbackNodePorts, clock, log }: ModeChoice): Promise<Mode> {
  const open = Object.hasOwn(modes, mode) ? modes[mode] : undefined;
  if (open) {
    const options = { ...(clock ? { clock } : {}), ...(log ? { log } : {}), ...modeOptions };
    const rules = await open(options);
    if (loopbackNodePorts !== 'relay') return rules;
    const { LoopbackNodePorts } = await import('./mode/loopback-node-ports.ts');
    return new LoopbackNodePorts(rules, options);
  }
  throw new KnownError('BAD_CONFIG', `Cannot start the proxy in mode "${mode}": it is not supported`, {
    hint: `Use mode ${Object.keys(modes).join(' or ')}`,
  });
}
