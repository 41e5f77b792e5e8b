/**
 * The small changes that a test should notice: a comparison turned or moved by one, `&&` for `||`, a condition negated, a statement dropped, a
 * constant one off, a text emptied, an element left out of a list. Types, imports and what an error says stay as they are.
 */
import * as ast from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';
import type { Change, Mutant } from './mutant.ts';

const operators: Readonly<Record<string, readonly string[]>> = {
  '===': ['!=='],
  '!==': ['==='],
  '==': ['!='],
  '!=': ['=='],
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '&&': ['||'],
  '||': ['&&'],
  '+': ['-'],
  '-': ['+'],
  '+=': ['-='],
  '-=': ['+='],
};

/** What has no meaning when it runs, or what only a person reads. */
function isOutOfScope(node: ast.Node): boolean {
  return (
    is.isTypeNode(node) ||
    is.isInterfaceDeclaration(node) ||
    is.isTypeAliasDeclaration(node) ||
    is.isImportDeclaration(node) ||
    is.isExportDeclaration(node) ||
    is.isThrowStatement(node) ||
    (is.isCallExpression(node) && node.expression.kind === ast.SyntaxKind.ImportKeyword) ||
    (is.isNewExpression(node) && /Error$/.test(node.expression.getText()))
  );
}

function replace(node: ast.Node, ...replacements: readonly string[]): Change[] {
  return replacements.map((replacement) => ({ start: node.getStart(), end: node.getEnd(), replacement }));
}

/** An operator and a `!` have changes of their own; to negate them as well would say the same twice. */
function negate(condition: ast.Node): Change[] {
  const isOperation = is.isBinaryExpression(condition) && condition.operatorToken.getText() in operators;
  return isOperation || is.isPrefixUnaryExpression(condition) ? [] : replace(condition, `!(${condition.getText()})`);
}

/** Each element with the comma beside it. */
function dropEach(elements: readonly ast.Node[]): Change[] {
  return elements.map((element, i) => {
    const [before, after] = [elements[i - 1], elements[i + 1]];
    if (after) return { start: element.getStart(), end: after.getStart(), replacement: '' };
    return { start: before?.getEnd() ?? element.getStart(), end: element.getEnd(), replacement: '' };
  });
}

/** Those whose value nobody uses: what is left out may go unnoticed. A function's own `return value` may not. */
function isDroppable(node: ast.Node): boolean {
  if (is.isExpressionStatement(node)) return !node.getText().startsWith('super(');
  return is.isReturnStatement(node) ? node.expression === undefined : is.isContinueStatement(node) || is.isBreakStatement(node);
}

function isKey(node: ast.Node): boolean {
  return (is.isPropertyAssignment(node.parent) || is.isPropertyDeclaration(node.parent)) && node.parent.name === node;
}

function changesOfLiteral(node: ast.Node): Change[] {
  const text = node.getText();
  if (node.kind === ast.SyntaxKind.TrueKeyword) return replace(node, 'false');
  if (node.kind === ast.SyntaxKind.FalseKeyword) return replace(node, 'true');
  if (is.isNumericLiteral(node)) return replace(node, `(${text} + 1)`, `(${text} - 1)`);
  if (is.isBigIntLiteral(node)) return replace(node, `(${text} + 1n)`, `(${text} - 1n)`);
  const isTagged = is.isTaggedTemplateExpression(node.parent);
  if (is.isStringLiteral(node) || (!isTagged && (is.isNoSubstitutionTemplateLiteral(node) || is.isTemplateExpression(node))))
    return replace(node, text.length === 2 ? `'mutant'` : `''`);
  return [];
}

function changesOf(node: ast.Node): Change[] {
  if (isDroppable(node)) return replace(node, ';');
  if (is.isBinaryExpression(node)) return replace(node.operatorToken, ...(operators[node.operatorToken.getText()] ?? []));
  if (is.isPrefixUnaryExpression(node) && node.operator === ast.SyntaxKind.ExclamationToken) return replace(node, node.operand.getText());
  if (is.isIfStatement(node)) return [...negate(node.expression), ...dropReturn(node.thenStatement)];
  if (is.isConditionalExpression(node)) return negate(node.condition);
  if (is.isArrayLiteralExpression(node)) return dropEach(node.elements);
  return isKey(node) ? [] : changesOfLiteral(node);
}

/** `if (…) return value;`: what follows runs instead. */
function dropReturn(branch: ast.Node): Change[] {
  return is.isReturnStatement(branch) && branch.expression ? replace(branch, ';') : [];
}

export function mutantsOf(file: string, tree: ast.SourceFile): Mutant[] {
  const found: Mutant[] = [];
  const visit = (node: ast.Node): void => {
    if (isOutOfScope(node)) return;
    for (const change of changesOf(node)) found.push({ file, line: lineOf(tree.text, change.start), ...change });
    node.forEachChild(visit);
  };
  tree.forEachChild(visit);
  return found;
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}
