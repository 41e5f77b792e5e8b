/** Where a server of a test runs: on the machine as it is, or in namespaces, on a disk, or under a tracer that the test made. */
export interface Place {
  readonly host: string;
  /** The command that runs another one there, such as `ip netns exec NAME`: the process that it starts becomes that other one. */
  readonly within: readonly string[];
  /** Where its data lie; a folder of the server's own by default. */
  readonly dir?: string;
}

export const here: Place = { host: '127.0.0.1', within: [] };
