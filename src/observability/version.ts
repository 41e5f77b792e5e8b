/** What this program says it is. Read once, when a process starts: an upgrade puts another package under processes that go on with their own code. */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');

/** Of the package. */
export const programVersion: string = (JSON.parse(text) as { readonly version: string }).version;

/** The version of Kubernetes whose API it speaks. */
export const kubernetesVersion = 'v1.35.0';

/** As an API server and a kubelet tell it: clients compare what stands before the "+", which is semver's sign for a build. */
export const gitVersion: string = `${kubernetesVersion}+fairlead.${programVersion}`;
