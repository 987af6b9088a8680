import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { repository } from '../../../lab/folders';

const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '*.md'], {
  cwd: repository,
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(repository, file)));

test.each(pages)('every link of %s leads to a file, and to a heading that is there', (page) => {
  expect(linksOf(textOf(join(repository, page))).filter((link) => !leads(join(repository, page), link))).toEqual([]);
});

test.each(pages.filter((page) => !page.startsWith('docs/nodes/')))('no heading of %s is there twice', (page) => {
  const headings = headingsOf(join(repository, page));
  expect(headings.filter((heading, place) => headings.indexOf(heading) < place)).toEqual([]);
});

/** Without what is shown as code. */
function textOf(file: string): string {
  return readFileSync(file, 'utf8')
    .replace(/^```[^]*?^```$/gm, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ''));
}

function linksOf(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link).filter((link) => !/^[a-z]+:/.test(link));
}

function leads(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#');
  const target = path === '' ? page : resolve(dirname(page), path);
  if (!existsSync(target)) return false;
  return heading === undefined || headingsOf(target).includes(heading);
}

/** As the forges name them: lower case, without punctuation, hyphens for spaces. */
function headingsOf(file: string): string[] {
  return [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}
