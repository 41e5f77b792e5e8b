/** One lab's entries in a kubeconfig that holds other clusters too. Comments and order of what is there stay. Pure. */
import { type Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import { KnownError } from '../../errors/known-error.ts';

interface Named {
  readonly name: string;
}

/** The parts of a kubeconfig that are looked at. */
interface Kubeconfig {
  readonly clusters: readonly (Named & { readonly cluster: object })[];
  readonly users: readonly (Named & { readonly user: object })[];
}

const lists = ['clusters', 'users', 'contexts'] as const;

/** What the entries of a lab are called. */
export function contextOf(lab: string): string {
  return `fairlead-${lab}`;
}

function read(text: string, path: string): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error || (document.contents !== null && !isMap(document.contents)))
    throw new KnownError('BAD_CONFIG', `Cannot read the kubeconfig "${path}": ${error?.message.split('\n')[0] ?? 'it is no mapping'}`, {
      hint: 'Mend or move it, or name another file by KUBECONFIG',
    });
  return document;
}

function listOf(document: Document, key: string): YAMLSeq | undefined {
  const list = document.get(key);
  return isSeq(list) ? list : undefined;
}

function indexOf(list: YAMLSeq, name: string): number {
  return list.items.findIndex((item) => isMap(item) && (item as YAMLMap).get('name') === name);
}

/** `text` with the lab as one more cluster, user and context, which is made the current one. `admin` is the lab's own kubeconfig. */
export function mergeKubeconfig(text: string, admin: string, lab: string, path: string): string {
  const document = read(text, path);
  const own = JSON.parse(admin) as Kubeconfig;
  const name = contextOf(lab);
  const entries = {
    clusters: { name, cluster: own.clusters[0]?.cluster },
    users: { name, user: own.users[0]?.user },
    contexts: { name, context: { cluster: name, user: name } },
  };
  if (document.contents === null) document.contents = document.createNode({ apiVersion: 'v1', kind: 'Config' }) as never;
  for (const key of lists) {
    // kubectl writes "clusters: null" or "[]" into an empty file.
    if ((listOf(document, key)?.items.length ?? 0) === 0) document.set(key, document.createNode([]));
    const list = listOf(document, key) as YAMLSeq;
    const at = indexOf(list, name);
    const entry = document.createNode(entries[key]);
    if (at < 0) list.add(entry);
    else list.items[at] = entry;
  }
  document.set('current-context', name);
  return document.toString();
}

/** `text` without the lab, and whether any cluster, user or context is left in it. `former` is the context that was the current one before. */
export function unmergeKubeconfig(
  text: string,
  lab: string,
  former: string | undefined,
  path: string,
): { readonly text: string; readonly isEmpty: boolean } {
  const document = read(text, path);
  const name = contextOf(lab);
  for (const key of lists) {
    const list = listOf(document, key);
    const at = list ? indexOf(list, name) : -1;
    if (list && at >= 0) list.delete(at);
  }
  const contexts = listOf(document, 'contexts');
  if (document.get('current-context') === name) {
    if (former !== undefined && contexts && indexOf(contexts, former) >= 0) document.set('current-context', former);
    else document.delete('current-context');
  }
  return { text: document.toString(), isEmpty: lists.every((key) => (listOf(document, key)?.items.length ?? 0) === 0) };
}

export function currentContext(text: string, path: string): string | undefined {
  const current = read(text, path).get('current-context');
  return typeof current === 'string' && current !== '' ? current : undefined;
}
