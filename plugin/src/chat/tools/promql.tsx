// A query. PromQL is highlighted by Prometheus's own grammar; no editor behind it.
import { highlightCode, tagHighlighter, tags } from '@lezer/highlight';
import { Box, useTheme } from '@mui/material';
import { parser } from '@prometheus-io/lezer-promql';
import { ReactElement, ReactNode, useMemo } from 'react';

import { plain } from '../../text';

const highlighter = tagHighlighter([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.function(tags.variableName)], class: 'fn' },
  { tag: [tags.string], class: 'str' },
  { tag: [tags.number], class: 'num' },
  { tag: [tags.labelName], class: 'label' },
  { tag: [tags.operator, tags.arithmeticOperator, tags.compareOperator, tags.logicOperator], class: 'op' },
  { tag: [tags.comment, tags.lineComment], class: 'comment' },
]);

/** Parsing takes time in proportion to the text; what is longer is shown as it is. */
const HIGHLIGHT_CHARS_MAX = 8_000;

/** Code of any kind, in the parts that have colours of their own. */
export function Coloured({ parts }: { parts: ReadonlyArray<{ text: string; class: string }> }): ReactElement {
  return (
    <Code>
      {parts.map((part, i) =>
        part.class === '' ? (
          part.text
        ) : (
          // oxlint-disable-next-line react/no-array-index-key -- the text never changes
          <span key={i} className={part.class}>
            {part.text}
          </span>
        ),
      )}
    </Code>
  );
}

export function Query({ query, promql }: { query: string; promql: boolean }): ReactElement {
  const parts = useMemo((): ReactNode => {
    const text = plain(query);
    if (!promql || text.length > HIGHLIGHT_CHARS_MAX) return text;
    const nodes: ReactNode[] = [];
    highlightCode(
      text,
      parser.parse(text),
      highlighter,
      (code, classes) => {
        nodes.push(
          classes === '' ? (
            code
          ) : (
            <span key={nodes.length} className={classes}>
              {code}
            </span>
          ),
        );
      },
      () => nodes.push('\n'),
    );
    return nodes;
  }, [query, promql]);
  return <Code>{parts}</Code>;
}

function Code({ children }: { children: ReactNode }): ReactElement {
  const theme = useTheme();
  const dark = theme.palette.mode === 'dark';
  return (
    <Box
      component="code"
      sx={{
        fontFamily: 'monospace',
        fontSize: '0.8125rem',
        whiteSpace: 'pre-wrap',
        overflowWrap: 'anywhere',
        '& .fn': { color: dark ? '#82b1ff' : '#1649a8' },
        '& .str': { color: dark ? '#a5d6a7' : '#1b5e20' },
        '& .num': { color: dark ? '#ffcc80' : '#8a3c00' },
        '& .label': { color: dark ? '#ce93d8' : '#6a1b9a' },
        '& .op': { color: 'text.secondary' },
        '& .comment': { color: 'text.secondary', fontStyle: 'italic' },
      }}
    >
      {children}
    </Box>
  );
}
