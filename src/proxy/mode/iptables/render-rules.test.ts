/** The tables of all scenarios as `rules/` has them; `test/rules` sends packets through them. */
import { testGoldenFiles } from '../testing/golden-files.ts';
import { iptablesFace } from './testing/face.ts';

testGoldenFiles(iptablesFace);
