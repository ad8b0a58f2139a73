// A text as it is: what is too long to be a document, can't be drawn as one, or waits for what draws it.
import { Box } from '@mui/material';
import { ReactElement } from 'react';

import { plain } from '../../text';

export function PlainAnswer({ text }: { text: string }): ReactElement {
  return <Box sx={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', my: 1 }}>{plain(text)}</Box>;
}
