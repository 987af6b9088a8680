import type { NodeDeclaration } from './actionNode';
import { labelOf, titleCase } from './field';
import type { Operation } from './operation';
import { fieldsOf } from './properties';

const begin = '<!-- operations: written by `npm run docs`, do not edit -->';
const end = '<!-- /operations -->';

/** The page with the part between the markers made new; a page without markers gets it at its end. */
export function withOperations(page: string, declaration: NodeDeclaration<never>): string {
  const part = `${begin}\n\n${operationsPart(declaration)}\n${end}`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${part}\n`;
  return page.slice(0, from) + part + page.slice(to + end.length);
}

/** What a page begins with when a node has none yet. */
export function newPage({ displayName, description }: NodeDeclaration<never>): string {
  return `# ${displayName}\n\n${description}\n`;
}

function operationsPart({ resources }: NodeDeclaration<never>): string {
  return resources
    .map(({ label, name, operations }) =>
      [
        `## ${label}`,
        '',
        table(
          ['operation', 'effect', 'what it does'],
          operations.map((operation) => [
            `**${operation.label ?? titleCase(operation.name)}** \`${name}.${operation.name}\``,
            effectOf(operation),
            operation.description,
          ]),
        ),
        ...operations.filter((operation) => Object.keys(fieldsOf(operation)).length > 0).map(fieldsPart),
      ].join('\n'),
    )
    .join('\n');
}

function fieldsPart(operation: Operation<never>): string {
  const rows = Object.entries(fieldsOf(operation)).map(([name, field]) => [
    `**${labelOf(name, field)}** \`${name}\``,
    [
      field.kind,
      ...(field.form.required === true ? ['required'] : []),
      ...(field.condition === undefined
        ? []
        : [`only while \`${field.condition.field}\` is ${field.condition.values.map(String).join(' or ')}`]),
    ].join(', '),
    field.form.description ?? field.form.hint ?? '',
  ]);
  return `${operation.action}:\n\n${table(['field', 'value', 'notes'], rows)}`;
}

function effectOf(operation: Operation<never>): string {
  return [
    operation.effect,
    ...(operation.dryRun ? ['has a dry run'] : []),
    ...(operation.needsApproval ? ['AI agents need an approval'] : []),
  ].join(', ');
}

// With columns of equal width, which is how prettier leaves it.
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')));
  const widths = header.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [first = [], ...others] = cells;
  return [line(first), rule, ...others.map(line)].join('\n') + '\n';
}
