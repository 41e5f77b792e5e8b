/** Measures YAML by the tokens that its parser would be given, before anything is built of them. */
import { Lexer } from 'yaml';
import { type BodyLimits, bodyLimits, LimitError, tooDeep } from './limits.ts';

/**
 * An entry `key: value` has seven. The parser needs some 2 µs for each, a hundred times what JSON costs; who has more to say says
 * it in JSON, as kubectl does.
 */
const maxTokens = 300_000;
/** Tags and anchors. The parser compares those of one value with each other. */
const maxProperties = 2000;

/** Throws LimitError. */
export function measureYaml(text: string, limits: BodyLimits = bodyLimits): void {
  let tokens = 0;
  let properties = 0;
  let flow = 0;
  let column = 0;
  for (const token of new Lexer().lex(text)) {
    if (++tokens > maxTokens) throw new LimitError(`has too many values: more than ${maxTokens} tokens of YAML`);
    const first = token.charCodeAt(0);
    // A document, a scalar or the end of a flow is announced by a control character that has no place in the text.
    if (first === 0x02 || first === 0x1f || first === 0x18) continue;
    if (first === 0x5b || first === 0x7b) flow++;
    else if (first === 0x5d || first === 0x7d) flow--;
    else if ((first === 0x21 || first === 0x26) && ++properties > maxProperties) {
      throw new LimitError(`has too many tags and anchors: more than ${maxProperties}`);
    }
    const end = token.lastIndexOf('\n');
    column = end < 0 ? column + token.length : token.length - end - 1;
    // A block within a block stands to the right of it, or begins with a dash of its own.
    const block = token === '-' || token === '?' || (first === 0x20 && column === token.length) ? column : 0;
    if (flow + block > limits.depth) throw tooDeep(limits);
  }
}
