/** Taints and labels of a Node, as flags write them. */
import type { Taint } from '../api/schema/types.ts';
import { KnownError } from '../errors/known-error.ts';

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** `key=value:NoSchedule,other:NoExecute`, as the kubelet's --register-with-taints takes it. Throws BAD_CONFIG. */
export function parseTaints(text: string): Taint[] {
  return split(text).map((item) => {
    const colon = item.lastIndexOf(':');
    const [key = '', value = ''] = item.slice(0, Math.max(colon, 0)).split('=');
    const effect = item.slice(colon + 1);
    if (!key || !effects.includes(effect))
      throw new KnownError('BAD_CONFIG', `Cannot read taint "${item}"`, {
        hint: `Write it as KEY=VALUE:EFFECT, the effect one of ${effects.join(', ')}`,
      });
    return value ? { key, value, effect } : { key, effect };
  });
}

/** `key=value,key=value`. Throws BAD_CONFIG. */
export function parseLabels(text: string): Record<string, string> {
  return Object.fromEntries(
    split(text).map((item) => {
      const equals = item.indexOf('=');
      if (equals < 1) throw new KnownError('BAD_CONFIG', `Cannot read label "${item}"`, { hint: 'Write it as KEY=VALUE' });
      return [item.slice(0, equals), item.slice(equals + 1)];
    }),
  );
}

function split(text: string): string[] {
  return text.split(',').filter(Boolean);
}
