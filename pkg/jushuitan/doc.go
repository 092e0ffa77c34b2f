// Package jushuitan is a client of the Jushuitan (聚水潭) ERP's API.
package jushuitan
