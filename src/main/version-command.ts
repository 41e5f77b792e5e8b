import { type Command, defineCommand } from '../cli/command.ts';
import { outputFormat, outputOption, renderOutput } from '../cli/output.ts';

interface Version {
  readonly fairlead: string;
  readonly kubernetes: string;
  readonly node: string;
}

/** `fairlead version`, also `fairlead --version`. */
export const versionCommand: Command = defineCommand({
  name: 'version',
  summary: 'tell the versions of this program, of Kubernetes it speaks, and of Node.js',
  options: { output: outputOption },
  async run({ values }) {
    const { kubernetesVersion, programVersion } = await import('../observability/version.ts');
    const version: Version = { fairlead: programVersion, kubernetes: kubernetesVersion, node: process.version };
    const columns = [
      { title: 'FAIRLEAD', cell: (v: Version) => v.fairlead },
      { title: 'KUBERNETES', cell: (v: Version) => v.kubernetes },
      { title: 'NODE.JS', cell: (v: Version) => v.node },
    ];
    process.stdout.write(renderOutput(outputFormat(values.output), version, [version], columns, (v) => v.fairlead));
    return 0;
  },
});
