/** Which pull policy an image has when none is given. */

/** `Always` for the tag `latest`, named or implied; `IfNotPresent` for any other tag and for a digest. */
export function defaultPullPolicy(image: string | undefined): 'Always' | 'IfNotPresent' {
  return tagOf(image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
}

/** The tag of an image reference. `registry:5000/app` has a port and no tag. */
function tagOf(image: string): string {
  const [name = '', digest] = image.split('@');
  const tag = name.slice(name.lastIndexOf('/') + 1).split(':')[1];
  return tag ?? (digest === undefined ? 'latest' : '');
}
