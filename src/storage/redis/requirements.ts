/** What a Redis must be before it may hold a cluster. Pure: judges what INFO and CONFIG GET say. */

/** Why a Redis is refused, and what to do about it. */
export interface Refusal {
  readonly why: string;
  readonly hint: string;
}

export interface Facts {
  /** The answer to INFO. */
  readonly info: Readonly<Record<string, string>>;
  /** CONFIG GET appendfsync; undefined when the user may not ask. */
  readonly appendfsync: string | undefined;
}

/** What the URL accepts or asks for. */
export interface Wishes {
  /** A second of acknowledged writes may be lost with the machine. */
  readonly everysec: boolean;
  readonly waitReplicas: number;
}

/** `name:value` per line; headings begin with `#`. */
export function parseInfo(text: string): Record<string, string> {
  const info: Record<string, string> = {};
  for (const row of text.split('\r\n')) {
    const colon = row.indexOf(':');
    if (colon > 0) info[row.slice(0, colon)] = row.slice(colon + 1);
  }
  return info;
}

interface Requirement {
  /** What is wrong, if anything is. */
  fault(facts: Facts, wishes: Wishes): string | undefined;
  readonly hint: string;
}

/** In the order in which they are told: one at a time. */
const requirements: readonly Requirement[] = [
  {
    fault: ({ info }) => (majorOf(info) >= 7 ? undefined : `it is version ${info.redis_version ?? 'unknown'}, which has no functions`),
    hint: 'Redis 7.0 or later, or Valkey, is needed',
  },
  {
    fault: ({ info }) => (info.cluster_enabled === '1' ? 'it is a Redis Cluster' : undefined),
    hint: 'All keys of the store share one slot, so a Redis Cluster adds nothing: use one Redis with replicas, and Sentinel for fail-over',
  },
  {
    fault: ({ info }) =>
      info.role === 'slave' ? `it is a replica of ${info.master_host}:${info.master_port}, which takes no writes` : undefined,
    hint: 'Give the address of the primary, or those of the sentinels as redis+sentinel://HOST,HOST/NAME',
  },
  {
    fault: ({ info }) => (info.aof_enabled === '1' ? undefined : 'it does not persist each write (appendonly is off)'),
    hint: 'Set "appendonly yes" and "appendfsync always" in redis.conf; snapshots (save) alone lose minutes',
  },
  {
    fault: ({ info }) =>
      info.maxmemory_policy === 'noeviction' ? undefined : `it evicts keys when memory is full (maxmemory-policy ${info.maxmemory_policy})`,
    hint: 'Set "maxmemory-policy noeviction" in redis.conf',
  },
  {
    fault: ({ appendfsync }) => (appendfsync === undefined ? 'its user may not ask for its settings' : undefined),
    hint: 'Allow the user CONFIG GET: "ACL SETUSER NAME +config|get"',
  },
  {
    fault: ({ appendfsync }, { everysec }) => {
      if (appendfsync === 'always' || (appendfsync === 'everysec' && everysec)) return undefined;
      return `it acknowledges writes before they are on the disk (appendfsync ${appendfsync})`;
    },
    hint: 'Set "appendfsync always" in redis.conf, or accept by ?fsync=everysec that up to a second of writes is lost with the machine',
  },
  {
    fault: ({ info }, { waitReplicas }) =>
      Number(info.connected_slaves ?? 0) < waitReplicas
        ? `it has ${info.connected_slaves ?? 0} replicas, and wait-replicas asks for ${waitReplicas}`
        : undefined,
    hint: 'Start the replicas first, or ask for fewer',
  },
];

/** The first reason to refuse a Redis. */
export function refusalOf(facts: Facts, wishes: Wishes): Refusal | undefined {
  for (const { fault, hint } of requirements) {
    const why = fault(facts, wishes);
    if (why !== undefined) return { why, hint };
  }
  return undefined;
}

/** Whether it was a replica that was made the primary: what the old primary had acknowledged may be missing. */
export function wasPromoted(info: Facts['info']): boolean {
  return Number(info.second_repl_offset ?? -1) >= 0;
}

function majorOf(info: Facts['info']): number {
  return Number.parseInt(info.redis_version ?? '0', 10);
}
