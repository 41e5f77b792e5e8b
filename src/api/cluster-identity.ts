/**
 * Which cluster answers, as our API server says it in a header of lists and watches: the UID of the Namespace kube-system, by convention what a cluster is known by. Revisions
 * of a cluster that was made anew may be above those of the one before it, so that a watch would go on over the break; by this a client sees it.
 */
export const clusterHeader = 'fairlead-cluster';
export const clusterNamespace = 'kube-system';
