import type { Plugin } from '../plugin.ts';

const mb = 1024 * 1024;
const least = 23 * mb;
const mostPerContainer = 1000 * mb;

/** `nginx` → `docker.io/library/nginx:latest`, the name a runtime reports. */
function fullImageName(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const hasHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const name = hasHost ? image : slash < 0 ? `docker.io/library/${image}` : `docker.io/${image}`;
  const rest = name.slice(name.lastIndexOf('/') + 1);
  return rest.includes(':') || rest.includes('@') ? name : `${name}:latest`;
}

/** Likes nodes that hold the pod's images already; an image on few nodes counts less, so that they are not flooded. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  scoring: { weight: 1, scale: 'percent' },
  prepare(pod, cluster) {
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const images = containers.map((c) => fullImageName(c.image ?? ''));
    // Only a large image is worth a detour, and on small clusters the sums are cheap.
    const spread = new Map<string, number>();
    for (const image of images)
      spread.set(image, cluster.nodes.reduce((n, node) => n + (node.images.has(image) ? 1 : 0), 0) / Math.max(cluster.nodes.length, 1));
    if ([...spread.values()].every((share) => share === 0 || share === 1)) return undefined;
    const most = mostPerContainer * containers.length;
    return {
      score(node) {
        const sum = images.reduce((total, image) => total + (node.images.get(image) ?? 0) * (spread.get(image) ?? 0), 0);
        return Math.floor((100 * (Math.min(Math.max(sum, least), most) - least)) / (most - least));
      },
    };
  },
};
