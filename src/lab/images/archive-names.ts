/**
 * The names of the images in an archive: a docker-archive (`docker save`, manifest.json) or an OCI image layout (index.json). Pure.
 */
import { KnownError } from '../../errors/known-error.ts';

/** Of an OCI index (image-spec 1.0), and of what Docker and containerd note in it. */
interface Index {
  readonly manifests?: readonly { readonly annotations?: Readonly<Record<string, string>> }[];
}
type DockerManifest = readonly { readonly RepoTags?: readonly string[] | null }[];

export interface Contents {
  /** The text of index.json, when there is one. */
  readonly index: string | undefined;
  /** The text of manifest.json. */
  readonly manifest: string | undefined;
}

const containerdName = 'io.containerd.image.name';
const ociName = 'org.opencontainers.image.ref.name';

/** The full reference, as a pod's `image` is read: `app` → `docker.io/library/app:latest`. Undefined when it is none. */
export function fullReference(text: string): string | undefined {
  if (!/^[\w][\w.:/@-]*$/.test(text) || /[A-Z]/.test(text.split(/[:@]/).at(0)?.split('/').at(-1) ?? '')) return undefined;
  const [first = '', ...rest] = text.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasHost ? text : `docker.io/${rest.length > 0 ? '' : 'library/'}${text}`;
  return /[:@]/.test(path.split('/').at(-1) ?? '') ? path : `${path}:latest`;
}

function parse<T>(text: string, what: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new KnownError('BAD_CONFIG', `Cannot read the images: ${what} is no JSON`, {
      cause,
      hint: 'Save the images again: the archive is damaged',
    });
  }
}

function given(reference: string): string {
  const full = fullReference(reference);
  if (full === undefined)
    throw new KnownError('USAGE', `Cannot use --as="${reference}": it is no image reference`, { hint: 'Such as app:1' });
  return full;
}

function unnamed(): KnownError {
  return new KnownError('USAGE', 'Cannot load the images: not all of them have a name', {
    hint: 'Give one to an archive of one image: fairlead lab load FILE --as app:1',
  });
}

/** What an entry of the index is called; a bare tag (`skopeo copy … oci:DIR:1.0`) takes the name of its file. */
function nameInIndex(annotations: Readonly<Record<string, string>>, base: string): string | undefined {
  const name = annotations[containerdName] ?? annotations[ociName];
  if (name === undefined) return undefined;
  return fullReference(/[/:@]/.test(name) ? name : `${base}:${name}`);
}

export interface Named {
  readonly names: readonly string[];
  /** The file that must read so for the runtime to use these names, when it reads otherwise. */
  readonly rewrite?: { readonly file: 'index.json' | 'manifest.json'; readonly text: string };
}

/** Names every image, by `as` when there is one. `base` stands for names that are bare tags. Throws USAGE and BAD_CONFIG. */
export function nameImages({ index, manifest }: Contents, as: string | undefined, base: string): Named {
  if (index !== undefined) return nameInOciLayout(index, as, base);
  if (manifest !== undefined) return nameInDockerArchive(manifest, as);
  throw new KnownError('BAD_CONFIG', 'Cannot read the images: there is neither an index.json nor a manifest.json', {
    hint: 'Give what "docker save", "podman save" or "skopeo copy … oci:DIR" writes',
  });
}

function nameInOciLayout(index: string, as: string | undefined, base: string): Named {
  const parsed = parse<Index>(index, 'index.json');
  const entries = parsed.manifests ?? [];
  if (entries.length === 0)
    throw new KnownError('BAD_CONFIG', 'Cannot read the images: index.json lists none', { hint: 'Save an image into it first' });
  if (as !== undefined && entries.length > 1) throw unnamed();
  const names = entries.map(({ annotations = {} }) => (as === undefined ? nameInIndex(annotations, base) : given(as)) ?? '');
  if (names.includes('')) throw unnamed();
  const same = entries.every(({ annotations }, i) => annotations?.[containerdName] === names[i]);
  const manifests = entries.map((entry, i) => ({ ...entry, annotations: { ...entry.annotations, [containerdName]: names[i] } }));
  return { names, ...(same ? {} : { rewrite: { file: 'index.json', text: JSON.stringify({ ...parsed, manifests }) } }) };
}

function nameInDockerArchive(manifest: string, as: string | undefined): Named {
  const entries = parse<DockerManifest>(manifest, 'manifest.json');
  if (as !== undefined && entries.length > 1) throw unnamed();
  const tags = entries.map((entry) => (as === undefined ? (entry.RepoTags ?? []) : [given(as)]));
  const names = tags.flat().map((tag) => fullReference(tag) ?? '');
  if (entries.length === 0 || tags.some((list) => list.length === 0) || names.includes('')) throw unnamed();
  if (as === undefined) return { names };
  return { names, rewrite: { file: 'manifest.json', text: JSON.stringify(entries.map((entry, i) => ({ ...entry, RepoTags: tags[i] }))) } };
}
