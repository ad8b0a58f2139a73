// A tool's result as a plain table, for what no installed panel can draw.
import { Table, TableBody, TableCell, TableContainer, TableHead, TableRow } from '@mui/material';
import { ReactElement } from 'react';

import { Rows } from './rows';
import { plain, shorten } from '../../text';

const CELL_CHARS_MAX = 300;

export function ResultTable({ rows, label }: { rows: Rows; label: string }): ReactElement {
  return (
    <TableContainer sx={{ maxHeight: 280 }} tabIndex={0} role="region" aria-label={label}>
      <Table size="small" stickyHeader>
        <TableHead>
          <TableRow>
            {rows.columns.map((name) => (
              <TableCell key={name}>{plain(name)}</TableCell>
            ))}
          </TableRow>
        </TableHead>
        <TableBody>
          {rows.cells.map((row, i) => (
            <TableRow key={i}>
              {row.map((text, column) => (
                <TableCell key={rows.columns[column]} sx={{ overflowWrap: 'anywhere', fontSize: '0.75rem' }}>
                  {plain(shorten(text, CELL_CHARS_MAX))}
                </TableCell>
              ))}
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </TableContainer>
  );
}
