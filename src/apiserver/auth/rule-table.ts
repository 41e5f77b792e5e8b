/**
 * Policy rules compiled for lookup: a question costs a few map look-ups, however many rules there are. Wildcards stay keys of their own, so
 * that the same look-up tells whether a rule with wildcards is covered.
 */
import type { PolicyRule } from '../../api/schema/types.ts';

/** What is asked, of a resource (`pods` or `pods/log`) or of a path. */
export type Question =
  | { readonly verb: string; readonly group: string; readonly resource: string; readonly name: string; readonly path?: undefined }
  | { readonly verb: string; readonly path: string };

interface Grant {
  readonly verbs: ReadonlySet<string>;
  /** Undefined: every name. */
  readonly names: ReadonlySet<string> | undefined;
  readonly reason: string;
}

export class RuleTable {
  readonly #resources = new Map<string, Grant[]>();
  readonly #paths = new Map<string, Grant[]>();
  readonly #pathPrefixes: { readonly prefix: string; readonly grant: Grant }[] = [];

  /** `reason` is what a question that these rules allow is answered with. */
  add(rules: readonly PolicyRule[], reason: string): void {
    for (const { verbs, resourceNames, apiGroups = [], resources = [], nonResourceURLs = [] } of rules) {
      const grant = { verbs: new Set(verbs), names: resourceNames?.length ? new Set(resourceNames) : undefined, reason };
      for (const group of apiGroups) for (const resource of resources) push(this.#resources, `${group}/${resource}`, grant);
      for (const path of nonResourceURLs) this.#addPath(path, grant);
    }
  }

  #addPath(path: string, grant: Grant): void {
    if (path.endsWith('*')) this.#pathPrefixes.push({ prefix: path.replace(/\*+$/, ''), grant });
    else push(this.#paths, path, grant);
  }

  /** The reason why it is allowed, or undefined. */
  find(question: Question): string | undefined {
    if (question.path !== undefined) return this.#findPath(question.verb, question.path);
    for (const key of keysOf(question.group, question.resource)) {
      for (const grant of this.#resources.get(key) ?? []) {
        if (allowsVerb(grant, question.verb) && (!grant.names || grant.names.has(question.name))) return grant.reason;
      }
    }
    return undefined;
  }

  #findPath(verb: string, path: string): string | undefined {
    for (const grant of this.#paths.get(path) ?? []) if (allowsVerb(grant, verb)) return grant.reason;
    return this.#pathPrefixes.find(({ prefix, grant }) => path.startsWith(prefix) && allowsVerb(grant, verb))?.grant.reason;
  }
}

/** The keys under which a rule for the resource may stand. `*` matches every resource and subresource, `*` + `/scale` that subresource of all. */
function keysOf(group: string, resource: string): string[] {
  const keys = [`${group}/${resource}`, `*/${resource}`, `${group}/*`, '*/*'];
  const slash = resource.indexOf('/');
  if (slash >= 0) keys.push(`${group}/*${resource.slice(slash)}`, `*/*${resource.slice(slash)}`);
  return keys;
}

function allowsVerb(grant: Grant, verb: string): boolean {
  return grant.verbs.has(verb) || grant.verbs.has('*');
}

function push(map: Map<string, Grant[]>, key: string, grant: Grant): void {
  const list = map.get(key);
  if (list) list.push(grant);
  else map.set(key, [grant]);
}
