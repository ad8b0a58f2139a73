// The model's markdown. It is untrusted: no raw HTML, no images, only http(s) links with their host shown.
// While it streams only its last block is parsed and drawn again.
import { Box, Link, Table, TableBody, TableCell, TableHead, TableRow, Typography } from '@mui/material';
import { marked } from 'marked';
import { ReactElement, ReactNode, memo, useMemo } from 'react';
import ReactMarkdown, { Components } from 'react-markdown';
import rehypeSanitize, { Options, defaultSchema } from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import remend from 'remend';

import { CopyButton } from './CopyButton';
import { Query } from './promql';
import { plain, safeLink } from './text';

const SCHEMA: Options = {
  ...defaultSchema,
  tagNames: (defaultSchema.tagNames ?? []).filter(
    (name) => name !== 'img' && name !== 'input' && name !== 'picture',
  ),
  protocols: { href: ['http', 'https'] },
};

const REMARK = [remarkGfm];
const REHYPE: Parameters<typeof ReactMarkdown>[0]['rehypePlugins'] = [[rehypeSanitize, SCHEMA]];

function SafeLink({ href, children }: { href?: string; children?: ReactNode }): ReactElement {
  const url = safeLink(href);
  if (url === undefined) return <>{children}</>;
  return (
    <>
      <Link href={url.href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </Link>
      <Typography component="span" variant="caption" color="text.secondary">
        {` (${url.host})`}
      </Typography>
    </>
  );
}

function textOf(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node);
  return Array.isArray(node) ? node.map(textOf).join('') : '';
}

function CodeBlock({ code, language }: { code: string; language: string }): ReactElement {
  const isPromQL = language === 'promql' || language === 'prometheus';
  return (
    <Box
      sx={{
        position: 'relative',
        my: 1,
        border: 1,
        borderColor: 'divider',
        borderRadius: 1,
        backgroundColor: 'background.code',
        '& .copy': { position: 'absolute', top: 4, right: 4 },
      }}
    >
      <Box
        component="pre"
        tabIndex={0}
        aria-label={language === '' ? 'Code' : `Code, ${language}`}
        sx={{ m: 0, p: 1.5, pr: 6, overflowX: 'auto', fontSize: '0.8125rem' }}
      >
        {isPromQL ? <Query query={code} promql /> : <code>{plain(code)}</code>}
      </Box>
      <CopyButton className="copy" text={code} label="Copy the code" />
    </Box>
  );
}

const COMPONENTS: Components = {
  a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
  img: ({ alt }) => <em>{alt === undefined || alt === '' ? '[image]' : `[image: ${alt}]`}</em>,
  p: ({ children }) => (
    <Typography variant="body1" component="p" sx={{ my: 1 }}>
      {children}
    </Typography>
  ),
  h1: ({ children }) => <Heading>{children}</Heading>,
  h2: ({ children }) => <Heading>{children}</Heading>,
  h3: ({ children }) => <Heading>{children}</Heading>,
  h4: ({ children }) => <Heading>{children}</Heading>,
  h5: ({ children }) => <Heading>{children}</Heading>,
  h6: ({ children }) => <Heading>{children}</Heading>,
  table: ({ children }) => (
    <Box sx={{ overflowX: 'auto', my: 1 }} tabIndex={0} role="region" aria-label="Table">
      <Table size="small" sx={{ width: 'auto' }}>
        {children}
      </Table>
    </Box>
  ),
  thead: ({ children }) => <TableHead>{children}</TableHead>,
  tbody: ({ children }) => <TableBody>{children}</TableBody>,
  tr: ({ children }) => <TableRow>{children}</TableRow>,
  th: ({ children, style }) => (
    <TableCell align={style?.textAlign as 'left' | undefined}>{children}</TableCell>
  ),
  td: ({ children, style }) => (
    <TableCell align={style?.textAlign as 'left' | undefined}>{children}</TableCell>
  ),
  pre: ({ children }) => <>{children}</>,
  code: ({ className, children }) => {
    const text = textOf(children);
    const language = /language-(\S+)/.exec(className ?? '')?.[1] ?? '';
    if (className !== undefined || text.includes('\n')) {
      return <CodeBlock code={text.replace(/\n$/, '')} language={language} />;
    }
    return (
      <Box
        component="code"
        sx={{
          px: 0.5,
          borderRadius: 0.5,
          backgroundColor: 'action.hover',
          fontSize: '0.85em',
          overflowWrap: 'anywhere',
        }}
      >
        {plain(text)}
      </Box>
    );
  },
};

/** An answer's heading is below those of the page. */
function Heading({ children }: { children?: ReactNode }): ReactElement {
  return (
    <Typography variant="h4" component="h3" sx={{ mt: 2, mb: 1 }}>
      {children}
    </Typography>
  );
}

const Block = memo(function Block({ text }: { text: string }): ReactElement {
  return (
    <ReactMarkdown remarkPlugins={REMARK} rehypePlugins={REHYPE} components={COMPONENTS} skipHtml>
      {text}
    </ReactMarkdown>
  );
});

/** What is longer than this is text, not a document: it is shown as it is. */
const MARKDOWN_CHARS_MAX = 200_000;

export function splitBlocks(text: string): readonly string[] {
  return marked.lexer(text, { gfm: true }).map(({ raw }) => raw);
}

export const Markdown = memo(function Markdown({
  text,
  complete,
}: {
  text: string;
  complete: boolean;
}): ReactElement {
  const blocks = useMemo(() => (text.length > MARKDOWN_CHARS_MAX ? [] : splitBlocks(plain(text))), [text]);
  if (text.length > MARKDOWN_CHARS_MAX) {
    return <Box sx={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{plain(text)}</Box>;
  }
  return (
    <Box sx={{ overflowWrap: 'anywhere', '& > :first-of-type': { mt: 0 }, '& > :last-child': { mb: 0 } }}>
      {blocks.map((raw, i) => (
        // Blocks only grow at the end, so the place is a stable key.
        // remend closes what is still open (bold, code, a link) while more is to come.
        // oxlint-disable-next-line react/no-array-index-key
        <Block key={i} text={!complete && i === blocks.length - 1 ? remend(raw) : raw} />
      ))}
    </Box>
  );
});
