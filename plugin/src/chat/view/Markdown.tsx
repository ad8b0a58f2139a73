// The model's markdown. It is untrusted: of HTML only a few tags are drawn, the rest is text; no images, only http(s)
// links with their host shown. While it streams only its last block is parsed and drawn again.
import { Box, Link, Table, TableBody, TableCell, TableHead, TableRow, Typography } from '@mui/material';
import { useRouterContext } from '@perses-dev/plugin-system';
import InformationIcon from 'mdi-material-ui/InformationOutline';
import TipIcon from 'mdi-material-ui/LightbulbOutline';
import ImportantIcon from 'mdi-material-ui/MessageAlertOutline';
import WarningIcon from 'mdi-material-ui/AlertOutline';
import CautionIcon from 'mdi-material-ui/AlertOctagonOutline';
import {
  ReactElement,
  ReactNode,
  createContext,
  isValidElement,
  memo,
  useContext,
  useId,
  useMemo,
} from 'react';
import ReactMarkdown, { Components, Options as MarkdownOptions } from 'react-markdown';
import rehypeSanitize, { Options, defaultSchema } from 'rehype-sanitize';
import remarkCjkFriendly from 'remark-cjk-friendly';
import remarkGfm from 'remark-gfm';
import remend, { RemendOptions, isWithinCodeBlock } from 'remend';

import { ALERTS, Alert, isAlert, quotesToAlerts } from './alerts';
import { splitBlocks } from './blocks';
import { CodeBlock } from './CodeBlock';
import { PlainAnswer } from './PlainAnswer';
import { TAGS, tagsToElements } from './tags';
import { appPath, plain, safeLink } from '../../text';
import { t } from '../../i18n/i18n';

/** What markdown itself makes; the rest are TAGS. */
const ELEMENTS = (
  'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr img input li ol p pre section strong sup ' +
  'table tbody td th thead tr ul'
).split(' ');

const SCHEMA: Options = {
  ...defaultSchema,
  tagNames: [...new Set([...ELEMENTS, ...TAGS])],
  attributes: { ...defaultSchema.attributes, blockquote: [['dataAlert', ...ALERTS]] },
  protocols: { href: ['http', 'https'] },
  clobberPrefix: '', // the ids of footnotes, the only ones, are made ours below
};

const REMARK: MarkdownOptions['remarkPlugins'] = [
  [remarkGfm, { singleTilde: false }],
  remarkCjkFriendly, // CommonMark wants spaces around **…**, which Chinese and Japanese don't have
  tagsToElements,
  quotesToAlerts,
];
const REHYPE: MarkdownOptions['rehypePlugins'] = [[rehypeSanitize, SCHEMA]];

/** The ids of a text's footnotes begin with this: there are more texts on the page. */
const Footnotes = createContext('');

/** To a footnote, or back: the page's address stays as it is. */
function FootnoteLink({ id, children }: { id: string; children?: ReactNode }): ReactElement {
  return (
    <Link
      component="button"
      type="button"
      sx={{ verticalAlign: 'baseline', font: 'inherit' }}
      onClick={() => document.getElementById(id)?.scrollIntoView({ block: 'nearest' })}
    >
      {children}
    </Link>
  );
}

/** To a page of Perses: within the app, unless the person wants another tab. */
function AppLink({ path, children }: { path: string; children?: ReactNode }): ReactElement {
  const { navigate } = useRouterContext();
  return (
    <Link
      href={path}
      onClick={(event) => {
        if (navigate === undefined || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(path);
      }}
    >
      {children}
    </Link>
  );
}

function SafeLink({ href, children }: { href?: string; children?: ReactNode }): ReactElement {
  const prefix = useContext(Footnotes);
  const url = safeLink(href);
  if (href?.startsWith(`#${prefix}`) === true)
    return <FootnoteLink id={href.slice(1)}>{children}</FootnoteLink>;
  const path = appPath(href);
  if (path !== undefined) return <AppLink path={path}>{children}</AppLink>;
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
  if (isValidElement<{ children?: ReactNode }>(node)) return textOf(node.props.children);
  return Array.isArray(node) ? node.map(textOf).join('') : '';
}

/** Words stay whole, the table is moved sideways instead; one that is far too long is broken all the same. */
const CELLS = {
  '& th, & td': { overflowWrap: 'break-word', maxWidth: { xs: '14rem', sm: '36rem' } },
} as const;

const COMPONENTS: Components = {
  a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
  img: ({ alt }) => (
    <em>{alt === undefined || alt === '' ? t('markdown.image') : t('markdown.imageOf', { alt })}</em>
  ),
  p: ({ children }) => (
    <Typography variant="body1" component="p" dir="auto" sx={{ my: 1 }}>
      {children}
    </Typography>
  ),
  h1: ({ children }) => <Heading>{children}</Heading>,
  h2: ({ children, className }) =>
    className === 'sr-only' ? (
      <Box component="h3" sx={{ position: 'absolute', width: '1px', height: '1px', overflow: 'hidden' }}>
        {children}
      </Box>
    ) : (
      <Heading>{children}</Heading>
    ),
  h3: ({ children }) => <Heading>{children}</Heading>,
  h4: ({ children }) => <Heading>{children}</Heading>,
  h5: ({ children }) => <Heading>{children}</Heading>,
  h6: ({ children }) => <Heading>{children}</Heading>,
  table: ({ children }) => (
    <Box sx={{ overflowX: 'auto', my: 1 }} tabIndex={0} role="region" aria-label={t('panel.kind.Table')}>
      <Table size="small" sx={{ width: 'auto', ...CELLS }}>
        {children}
      </Table>
    </Box>
  ),
  thead: ({ children }) => <TableHead>{children}</TableHead>,
  tbody: ({ children }) => <TableBody>{children}</TableBody>,
  tr: ({ children }) => <TableRow>{children}</TableRow>,
  th: ({ children, style }) => (
    <TableCell dir="auto" align={style?.textAlign as 'left' | undefined}>
      {children}
    </TableCell>
  ),
  td: ({ children, style }) => (
    <TableCell dir="auto" align={style?.textAlign as 'left' | undefined}>
      {children}
    </TableCell>
  ),
  input: ({ checked }) => (
    <input
      type="checkbox"
      disabled
      checked={checked === true}
      aria-label={checked === true ? t('markdown.done') : t('markdown.toDo')}
    />
  ),
  li: ({ children, className, id }) => (
    <li className={className} id={id} dir="auto">
      {children}
    </li>
  ),
  blockquote: ({ children, ...props }) => {
    const { 'data-alert': alert } = props as { 'data-alert'?: unknown };
    return isAlert(alert) ? (
      <AlertBox alert={alert}>{children}</AlertBox>
    ) : (
      <blockquote dir="auto">{children}</blockquote>
    );
  },
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

const ALERT_LOOKS = {
  note: { color: 'info.main', Icon: InformationIcon },
  tip: { color: 'success.main', Icon: TipIcon },
  important: { color: 'primary.main', Icon: ImportantIcon },
  warning: { color: 'warning.main', Icon: WarningIcon },
  caution: { color: 'error.main', Icon: CautionIcon },
} as const satisfies Readonly<Record<Alert, unknown>>;

function AlertBox({ alert, children }: { alert: Alert; children: ReactNode }): ReactElement {
  const { color, Icon } = ALERT_LOOKS[alert];
  return (
    <Box component="blockquote" dir="auto" sx={{ mx: 0, my: 1, pl: 2, borderLeft: 4, borderColor: color }}>
      <Typography component="p" variant="subtitle2" sx={{ display: 'flex', alignItems: 'center', gap: 1 }}>
        <Icon fontSize="small" sx={{ color }} aria-hidden />
        {t(`markdown.${alert}`)}
      </Typography>
      {children}
    </Box>
  );
}

/** An answer's heading is below those of the page. */
function Heading({ children }: { children?: ReactNode }): ReactElement {
  return (
    <Typography variant="h4" component="h3" dir="auto" sx={{ mt: 2, mb: 1 }}>
      {children}
    </Typography>
  );
}

const Block = memo(function Block({ text }: { text: string }): ReactElement {
  const prefix = useContext(Footnotes);
  const options = useMemo(() => ({ clobberPrefix: prefix }), [prefix]);
  return (
    <ReactMarkdown
      remarkPlugins={REMARK}
      remarkRehypeOptions={options}
      rehypePlugins={REHYPE}
      components={COMPONENTS}
      skipHtml
    >
      {text}
    </ReactMarkdown>
  );
});

/** What is longer than this is text, not a document: it is shown as it is. */
const MARKDOWN_CHARS_MAX = 200_000;

/** `[the manual](https://exam`: an address that is half there is not shown yet. A lone `[` stays as it is: it is more
 *  often that of `x[5m]` than a link's. */
const HALF_LINK = /!?\[([^[\]\n]*)\]\([^()\s]*$/;

function withoutHalfLink(text: string): string {
  const at = text.search(HALF_LINK);
  const before = text.slice(text.lastIndexOf('\n\n', at) + 1, at);
  const isInCode = isWithinCodeBlock(text, at) || before.split('`').length % 2 === 0;
  return at < 0 || isInCode ? text : text.replace(HALF_LINK, '$1');
}

/** Closes what is still open (bold, code) while more is to come; brackets and tildes stay as they are. */
const CLOSING: RemendOptions = {
  htmlTags: false,
  singleTilde: false,
  katex: false,
  links: false,
  images: false,
  handlers: [{ name: 'half-link', handle: withoutHalfLink, priority: 0 }],
};

const LOOKS = {
  overflowWrap: 'anywhere',
  '& > :first-of-type': { mt: 0 },
  '& > :last-child': { mb: 0 },
  '& .contains-task-list': { listStyle: 'none', pl: 1 },
  '& details': { my: 1, pl: 2, borderLeft: 2, borderColor: 'divider' },
  '& summary': { cursor: 'pointer', ml: -1 },
  '& kbd': { px: 0.5, border: 1, borderColor: 'divider', borderRadius: 0.5, fontSize: '0.85em' },
  '& .footnotes': { mt: 2, fontSize: '0.85em', borderTop: 1, borderColor: 'divider' },
} as const;

export const Markdown = memo(function Markdown({
  text,
  complete,
}: {
  text: string;
  complete: boolean;
}): ReactElement {
  const prefix = `persai-${useId().replace(/\W/g, '')}-`;
  const blocks = useMemo(() => (text.length > MARKDOWN_CHARS_MAX ? [] : splitBlocks(plain(text))), [text]);
  if (text.length > MARKDOWN_CHARS_MAX) return <PlainAnswer text={text} />;
  return (
    <Footnotes.Provider value={prefix}>
      <Box sx={LOOKS}>
        {blocks.map((raw, i) => (
          // Blocks only grow at the end, so the place is a stable key.
          // oxlint-disable-next-line react/no-array-index-key
          <Block key={i} text={!complete && i === blocks.length - 1 ? remend(raw, CLOSING) : raw} />
        ))}
      </Box>
    </Footnotes.Provider>
  );
});
