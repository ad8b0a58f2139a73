// When something was, or will be: the date, and how far that is from when it was asked.
import {
  Stack,
  Table,
  TableBody,
  TableCell,
  TableContainer,
  TableHead,
  TableRow,
  Typography,
} from '@mui/material';
import { useTimeZone } from '@perses-dev/components';
import { ReactElement } from 'react';

import { locale, t } from '../../i18n/i18n';
import { plain, shorten } from '../../text';
import { Moment, distance } from './unixtime';

const ROWS_MAX = 100;
const COLUMNS_MAX = 8;
const CELL_CHARS_MAX = 200;

function useDate(): (at: Date | undefined) => string {
  const { dateFormatOptionsWithUserTimeZone } = useTimeZone();
  const options = dateFormatOptionsWithUserTimeZone({ dateStyle: 'medium', timeStyle: 'medium' });
  return (at) => (at === undefined ? '–' : at.toLocaleString(locale(), options));
}

function farText({ at, asked }: Moment): string {
  return at === undefined ? '' : distance(at, asked);
}

export function Moments(props: { moments: readonly Moment[]; label: string; height: number }): ReactElement {
  const { moments, label, height } = props;
  const dateText = useDate();
  const [first] = moments;
  if (first !== undefined && moments.length === 1)
    return (
      <Stack alignItems="center" justifyContent="center" sx={{ minHeight: height }} data-testid="moments">
        <Typography variant="h2" component="p" align="center">
          {dateText(first.at)}
        </Typography>
        <Typography color="text.secondary">{farText(first)}</Typography>
      </Stack>
    );
  const names = [...new Set(moments.flatMap(({ labels }) => Object.keys(labels)))].slice(0, COLUMNS_MAX);
  return (
    <TableContainer
      sx={{ maxHeight: height }}
      tabIndex={0}
      role="region"
      aria-label={label}
      data-testid="moments"
    >
      <Table size="small" stickyHeader>
        <TableHead>
          <TableRow>
            <TableCell colSpan={2}>{t('panel.value')}</TableCell>
            {names.map((name) => (
              <TableCell key={name}>{plain(name)}</TableCell>
            ))}
          </TableRow>
        </TableHead>
        <TableBody>
          {moments.slice(0, ROWS_MAX).map((moment, i) => (
            <TableRow key={i}>
              <TableCell sx={{ whiteSpace: 'nowrap' }}>{dateText(moment.at)}</TableCell>
              <TableCell sx={{ whiteSpace: 'nowrap' }}>{farText(moment)}</TableCell>
              {names.map((name) => (
                <TableCell key={name}>{plain(shorten(moment.labels[name] ?? '', CELL_CHARS_MAX))}</TableCell>
              ))}
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}
