import ts from 'typescript';

/** What n8n gives to an expression, and what of JavaScript is there. */
const GIVEN = new Set([
  ...['$', '$json', '$binary', '$input', '$now', '$today', '$execution', '$workflow', '$itemIndex', '$runIndex'],
  ...['$if', '$ifEmpty', '$min', '$max', '$jmespath', '$fromAI', '$prevNode', '$parameter', '$items', '$nodeId'],
  ...['DateTime', 'Duration', 'Interval', 'Object', 'Array', 'String', 'Number', 'Boolean', 'Math', 'JSON', 'Date'],
  ...['parseInt', 'parseFloat', 'isNaN', 'encodeURIComponent', 'decodeURIComponent', 'undefined', 'NaN', 'Infinity'],
  ...['Set', 'Map', 'RegExp', 'Intl', 'URL'],
]);

export interface ExpressionFacts {
  readonly mistakes: readonly string[];
  /** The nodes that are read by their names. */
  readonly nodes: readonly string[];
}

export function isExpression(value: string): boolean {
  return value.startsWith('=');
}

/** Every `{{ }}` of one parameter, parsed as the JavaScript that it is. */
export function readExpression(value: string): ExpressionFacts {
  const mistakes: string[] = [];
  const nodes: string[] = [];
  for (const source of pieces(value.slice(1), mistakes)) look(source, mistakes, nodes);
  return { mistakes, nodes };
}

function pieces(text: string, mistakes: string[]): readonly string[] {
  const found: string[] = [];
  let rest = text;
  for (;;) {
    const begin = rest.indexOf('{{');
    if (begin < 0) return found;
    const end = rest.indexOf('}}', begin);
    if (end < 0) {
      mistakes.push('a {{ is not closed');
      return found;
    }
    found.push(rest.slice(begin + 2, end));
    rest = rest.slice(end + 2);
  }
}

function look(source: string, mistakes: string[], nodes: string[]): void {
  const file = ts.createSourceFile('expression.js', `(${source}\n)`, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  const { parseDiagnostics } = file as unknown as { readonly parseDiagnostics: readonly ts.Diagnostic[] };
  if (parseDiagnostics.length > 0) {
    const [first] = parseDiagnostics;
    const why = first === undefined ? '' : ts.flattenDiagnosticMessageText(first.messageText, ' ');
    mistakes.push(`{{${source}}} cannot be parsed: ${why}`);
    return;
  }
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isParameter(node) || ts.isVariableDeclaration(node)) namesIn(node.name, declared);
    ts.forEachChild(node, visit);
  };
  visit(file);
  const use = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && isFree(node) && !declared.has(node.text) && !GIVEN.has(node.text)) {
      mistakes.push(`"${node.text}" is unknown to expressions`);
    }
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === '$') {
      const [name] = node.arguments;
      if (name !== undefined && ts.isStringLiteralLike(name)) nodes.push(name.text);
      else mistakes.push('$() must name its node in a plain string');
    }
    if (ts.isElementAccessExpression(node) && !isKept(node.argumentExpression) && isOptional(node)) {
      const key = node.argumentExpression.getText();
      mistakes.push(`[${key}] in a chain with ?. is read as .${key} by n8n: take .at(${key}), or leave the ?. out`);
    }
    ts.forEachChild(node, use);
  };
  use(file);
}

function namesIn(name: ts.BindingName, declared: Set<string>): void {
  if (ts.isIdentifier(name)) {
    declared.add(name.text);
    return;
  }
  for (const element of name.elements) if (ts.isBindingElement(element)) namesIn(element.name, declared);
}

/** Where an expression calls `first()` and its like, n8n 2.41 writes chains anew and forgets the brackets of other keys. */
function isKept(key: ts.Expression): boolean {
  return (
    ts.isLiteralExpression(key) ||
    ts.isPropertyAccessExpression(key) ||
    ts.isElementAccessExpression(key) ||
    ts.isBinaryExpression(key)
  );
}

function isOptional(link: ts.Node): boolean {
  for (let left = link; isLink(left); left = left.expression) if (hasMark(left)) return true;
  for (let right = link.parent; isLink(right) && right.expression === link; link = right, right = right.parent) {
    if (hasMark(right)) return true;
  }
  return false;
}

type Link = ts.PropertyAccessExpression | ts.ElementAccessExpression | ts.CallExpression | ts.ParenthesizedExpression;

const isLink = (node: ts.Node): node is Link =>
  ts.isPropertyAccessExpression(node) ||
  ts.isElementAccessExpression(node) ||
  ts.isCallExpression(node) ||
  ts.isParenthesizedExpression(node);

const hasMark = (link: Link) => 'questionDotToken' in link && link.questionDotToken !== undefined;

/** Not the name of a property, and not a name that is being declared. */
function isFree(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.propertyName !== node && parent.name !== node;
  return !ts.isParameter(parent) || parent.name !== node;
}
