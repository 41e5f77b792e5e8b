/**
 * Lets forwarded pod packets through where somebody else's iptables drop them by policy (Docker does). An accept in a table of
 * our own cannot: a packet must pass every table. Where the policy is to accept, nothing is added.
 */
import { readFileSync } from 'node:fs';
import { isKnownError } from '../../errors/known-error.ts';
import { type Family, familyOf } from '../../ip/ip.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';

const comment = ['-m', 'comment', '--comment', 'fairlead pod network'] as const;

/** Returns true when a rule had to be added. */
export async function ensureForwardAccept(exec: Exec, network: string): Promise<boolean> {
  const tool = await droppingTool(exec, familyOf(network));
  if (tool === undefined) return false;
  let added = false;
  for (const side of ['-s', '-d'] as const) {
    const rule = [side, network, ...comment, '-j', 'ACCEPT'];
    if ((await exec.run(tool, ['-w', '5', '-C', 'FORWARD', ...rule])).code === 0) continue;
    await mustRun(exec, tool, ['-w', '5', '-I', 'FORWARD', '1', ...rule]);
    added = true;
  }
  return added;
}

/** The iptables whose FORWARD chain drops; only looks, as iptables itself would make the tables it lists. */
async function droppingTool(exec: Exec, family: Family): Promise<string | undefined> {
  try {
    const [word, tool] = family === 4 ? ['ip', 'iptables'] : ['ip6', 'ip6tables'];
    const nft = await exec.run('nft', ['list', 'chain', word, 'filter', 'FORWARD']);
    if (nft.code === 0 && nft.stdout.includes('policy drop')) return `${tool}-nft`;
    if (!legacyTables(word).includes('filter')) return undefined;
    const legacy = await exec.run(`${tool}-legacy`, ['-w', '5', '-S', 'FORWARD']);
    return legacy.stdout.includes('-P FORWARD DROP') ? `${tool}-legacy` : undefined;
  } catch (err) {
    if (isKnownError(err, 'TOOL_MISSING')) return undefined;
    throw err;
  }
}

function legacyTables(word: string): readonly string[] {
  try {
    return readFileSync(`/proc/net/${word}_tables_names`, 'utf8').split('\n');
  } catch {
    return [];
  }
}
