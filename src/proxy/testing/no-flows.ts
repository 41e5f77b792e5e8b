/** Nothing is tracked. */
import type { Flows } from '../flow-clean-up.ts';

export const noFlows: Flows = { deleteStale: async () => 0, deleteUnanswered: async () => 0, close: () => {} };
